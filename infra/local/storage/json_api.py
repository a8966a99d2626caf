"""The JSON API: buckets, objects, uploads; what Google's client library speaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from aiohttp import web

from infra.local.storage import conditions, listing, media
from infra.local.storage.disk import Disk, Entry, Traits, traits_of
from infra.local.storage.errors import bad_request, no_route
from infra.local.storage.uploads import Session, Sessions, parts_of, traits_from

WRITABLE = {
    "contentType": "content_type",
    "cacheControl": "cache_control",
    "contentDisposition": "content_disposition",
    "contentEncoding": "content_encoding",
    "metadata": "metadata",
}


class JsonApi:
    """Answers below /storage/v1, /upload/storage/v1 and /download/storage/v1."""

    def __init__(self, disk: Disk, sessions: Sessions) -> None:
        self._disk = disk
        self._sessions = sessions

    async def buckets(self, request: web.Request) -> web.Response:
        """/b"""
        if request.method == "GET":
            items = [_bucket(name) for name in self._disk.buckets()]
            return web.json_response({"kind": "storage#buckets", "items": items})
        name = (await _document(request)).get("name", "")
        self._disk.create_bucket(name)
        return web.json_response(_bucket(name))

    async def bucket(self, request: web.Request, name: str) -> web.Response:
        """/b/NAME"""
        self._disk.objects(name)
        if request.method == "DELETE":
            self._disk.delete_bucket(name)
            return web.Response(status=204)
        if request.method != "GET":
            raise no_route(request.path)
        return web.json_response(_bucket(name))

    async def objects(self, request: web.Request, bucket: str) -> web.Response:
        """/b/NAME/o"""
        found = listing.page(self._disk.objects(bucket).values(), request.query)
        answer: dict[str, Any] = {"kind": "storage#objects"}
        if found.items:
            answer["items"] = [resource(entry, request) for entry in found.items]
        if found.prefixes:
            answer["prefixes"] = found.prefixes
        if found.next_token:
            answer["nextPageToken"] = found.next_token
        return web.json_response(answer)

    async def object(self, request: web.Request, bucket: str, name: str) -> web.Response:
        """/b/NAME/o/NAME"""
        entry = self._disk.get(bucket, name, conditions.generation(request.query))
        conditions.check(entry, request.query, reading=request.method == "GET")
        if request.method == "DELETE":
            self._disk.delete(entry)
            return web.Response(status=204)
        if request.method in {"PATCH", "PUT"}:
            traits = _changed(entry, await _document(request), whole=request.method == "PUT")
            return web.json_response(resource(self._disk.change(entry, traits), request))
        if request.query.get("alt") == "media":
            return media.answer(self._disk, entry, request)
        return web.json_response(resource(entry, request))

    async def copy(
        self, request: web.Request, *, verb: str, source: tuple[str, str], target: tuple[str, str]
    ) -> web.Response:
        """/b/NAME/o/NAME/{copyTo,rewriteTo}/b/NAME/o/NAME; a rewrite is done in one go."""
        given = request.query
        wanted = given.get("sourceGeneration")
        original = self._disk.get(*source, int(wanted) if wanted else None)
        conditions.check(self._disk.find(*target), given)
        document = await _document(request)
        traits = _changed(original, document, whole=False)
        made = self._disk.put(*target, self._disk.read(original), traits)
        if verb == "copyTo":
            return web.json_response(resource(made, request))
        done = {"kind": "storage#rewriteResponse", "done": True, "objectSize": str(made.size)}
        return web.json_response(
            done | {"totalBytesRewritten": str(made.size), "resource": resource(made, request)}
        )

    async def upload(self, request: web.Request, bucket: str) -> web.Response:
        """/upload/.../b/NAME/o, by any of the three upload types."""
        how = request.query.get("uploadType")
        if key := request.query.get("upload_id"):
            return await self.resume(request, key)
        if how == "resumable":
            return await self._begin(request, bucket)
        if how == "multipart":
            document, kind, body = parts_of(
                request.headers.get("Content-Type", ""), await request.read()
            )
        elif how == "media":
            document, kind, body = {}, request.headers.get("Content-Type", ""), await request.read()
        else:
            raise bad_request(f"Unknown uploadType: {how}")
        name = request.query.get("name") or document.get("name", "")
        conditions.check(self._disk.find(bucket, name), request.query)
        entry = self._disk.put(bucket, name, body, traits_from(document, kind))
        return web.json_response(resource(entry, request))

    async def _begin(self, request: web.Request, bucket: str) -> web.Response:
        document = await _document(request)
        name = request.query.get("name") or document.get("name", "")
        conditions.check(self._disk.find(bucket, name), request.query)
        kind = request.headers.get("X-Upload-Content-Type", "")
        key = self._sessions.begin(
            Session(
                bucket=bucket,
                name=name,
                traits=traits_from(document, kind),
                conditions=dict(request.query),
            )
        )
        return web.Response(headers={"Location": session_url(request, bucket, key)})

    async def resume(self, request: web.Request, key: str) -> web.Response:
        """A piece of a resumable upload: 308 with what is there, or the finished object."""
        session = self._sessions.get(key)
        if request.method == "DELETE":
            self._sessions.end(key)
            return web.Response(status=499)
        last = session.add(request.headers.get("Content-Range", ""), await request.read())
        if not last:
            held = len(session.received)
            return web.Response(
                status=308, headers={"Range": f"bytes=0-{held - 1}"} if held else None
            )
        # Another upload may have finished since this one began.
        conditions.check(self._disk.find(session.bucket, session.name), session.conditions)
        entry = self._disk.put(
            session.bucket, session.name, bytes(session.received), session.traits
        )
        self._sessions.end(key)
        return web.json_response(resource(entry, request))


def session_url(request: web.Request, bucket: str, key: str) -> str:
    """Where a resumable upload's pieces go."""
    return (
        f"{_origin(request)}/upload/storage/v1/b/{quote(bucket, safe='')}/o"
        f"?uploadType=resumable&upload_id={key}"
    )


def resource(entry: Entry, request: web.Request) -> dict[str, Any]:
    """An object as the JSON API shows it; 64-bit numbers are strings there."""
    where = f"b/{quote(entry.bucket, safe='')}/o/{quote(entry.name, safe='')}"
    given = {wire: getattr(entry, ours) for wire, ours in WRITABLE.items() if getattr(entry, ours)}
    return given | {
        "kind": "storage#object",
        "id": f"{entry.bucket}/{entry.name}/{entry.generation}",
        "selfLink": f"{_origin(request)}/storage/v1/{where}",
        "mediaLink": f"{_origin(request)}/download/storage/v1/{where}"
        f"?generation={entry.generation}&alt=media",
        "name": entry.name,
        "bucket": entry.bucket,
        "generation": str(entry.generation),
        "metageneration": str(entry.metageneration),
        "storageClass": "STANDARD",
        "size": str(entry.size),
        "md5Hash": entry.md5,
        "crc32c": entry.crc32c,
        "etag": f"{entry.generation}/{entry.metageneration}",
        "timeCreated": entry.created,
        "updated": entry.updated,
    }


def _bucket(name: str) -> dict[str, Any]:
    return {
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "location": "LOCAL",
        "storageClass": "STANDARD",
        "metageneration": "1",
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
    }


def _changed(entry: Entry, document: Mapping[str, Any], *, whole: bool) -> Traits:
    fields = asdict(Traits(content_type=entry.content_type) if whole else traits_of(entry))
    for wire, ours in WRITABLE.items():
        if wire == "metadata" and wire in document and not whole:
            merged = fields[ours] | (document[wire] or {})
            fields[ours] = {name: value for name, value in merged.items() if value is not None}
        elif wire in document:
            fields[ours] = document[wire] or ({} if wire == "metadata" else "")
    return Traits(**fields)


async def _document(request: web.Request) -> dict[str, Any]:
    try:
        document = json.loads(await request.read() or b"{}")
    except ValueError:
        raise bad_request("Parse Error") from None
    if not isinstance(document, dict):
        raise bad_request("Parse Error")
    return document


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"
