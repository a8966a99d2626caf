"""The XML API's objects: what signed URLs lead to, for browsers and anyone else."""

from __future__ import annotations

from aiohttp import web

from infra.local.storage import conditions, media
from infra.local.storage.disk import Disk, Traits
from infra.local.storage.errors import bad_request, no_route
from infra.local.storage.json_api import session_url
from infra.local.storage.uploads import Session, Sessions

META = "x-goog-meta-"


class XmlApi:
    """Answers /BUCKET/OBJECT."""

    def __init__(self, disk: Disk, sessions: Sessions) -> None:
        self._disk = disk
        self._sessions = sessions

    async def object(self, request: web.Request, bucket: str, name: str) -> web.Response:
        """GET, HEAD, PUT, DELETE, and POST to begin a resumable upload."""
        match request.method:
            case "GET" | "HEAD":
                entry = self._disk.get(bucket, name, conditions.generation(request.query))
                return media.answer(self._disk, entry, request)
            case "PUT":
                return await self._put(request, bucket, name)
            case "DELETE":
                self._disk.delete(self._disk.get(bucket, name))
                return web.Response(status=204)
            case "POST" if request.headers.get("x-goog-resumable") == "start":
                return self._begin(request, bucket, name)
        raise no_route(request.path)

    async def _put(self, request: web.Request, bucket: str, name: str) -> web.Response:
        body = await request.read()
        _check_length(request.headers.get("x-goog-content-length-range", ""), len(body))
        given = conditions.from_headers(request.headers)
        conditions.check(self._disk.find(bucket, name), given)
        entry = self._disk.put(bucket, name, body, _traits(request))
        return web.Response(
            headers={
                "ETag": f'"{entry.md5}"',
                "x-goog-generation": str(entry.generation),
                "x-goog-hash": f"crc32c={entry.crc32c},md5={entry.md5}",
            }
        )

    def _begin(self, request: web.Request, bucket: str, name: str) -> web.Response:
        self._disk.objects(bucket)
        key = self._sessions.begin(
            Session(
                bucket=bucket,
                name=name,
                traits=_traits(request),
                conditions=conditions.from_headers(request.headers),
            )
        )
        return web.Response(status=201, headers={"Location": session_url(request, bucket, key)})


def _traits(request: web.Request) -> Traits:
    headers = request.headers
    return Traits(
        content_type=headers.get("Content-Type", "application/octet-stream"),
        cache_control=headers.get("Cache-Control", ""),
        content_disposition=headers.get("Content-Disposition", ""),
        metadata={
            name.lower().removeprefix(META): value
            for name, value in headers.items()
            if name.lower().startswith(META)
        },
    )


def _check_length(allowed: str, length: int) -> None:
    """`x-goog-content-length-range: MIN,MAX` in bytes; it only binds when it was signed."""
    if not allowed:
        return
    low, _, high = allowed.partition(",")
    if not (low.isdecimal() and high.isdecimal()):
        raise bad_request("Malformed x-goog-content-length-range")
    if length > int(high):
        raise bad_request("Your proposed upload exceeds the maximum allowed size", "EntityTooLarge")
    if length < int(low):
        raise bad_request("Your proposed upload is too small", "EntityTooSmall")
