"""An object's bytes as an HTTP answer: headers, ranges, checksums."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from email.utils import format_datetime

from aiohttp import web

from infra.local.storage.disk import Disk, Entry

PRIVATE = "private, max-age=0"


def answer(disk: Disk, entry: Entry, request: web.Request) -> web.Response:
    """The whole object, or the range that was asked for; 416 outside it, 304 when it is known."""
    headers = _headers(entry, request.query)
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers={"ETag": headers["ETag"]})
    try:
        wanted = request.http_range
    except ValueError:
        wanted = slice(None, None)  # a malformed range is ignored (RFC 9110, 14.2)
    if wanted.start is None and wanted.stop is None:
        return _whole(disk, entry, request, headers)
    start, stop, _ = wanted.indices(entry.size)
    if start >= stop:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{entry.size}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{entry.size}"
    return web.Response(status=206, headers=headers, body=disk.read(entry)[start:stop])


def _whole(disk: Disk, entry: Entry, request: web.Request, headers: dict[str, str]) -> web.Response:
    if request.method == "HEAD":
        return web.Response(headers=headers | {"Content-Length": str(entry.size)})
    return web.Response(headers=headers, body=disk.read(entry))


def _headers(entry: Entry, query: Mapping[str, str]) -> dict[str, str]:
    updated = dt.datetime.fromisoformat(entry.updated)
    headers = {
        "Content-Type": query.get("response-content-type", entry.content_type),
        "Cache-Control": entry.cache_control or PRIVATE,
        "ETag": f'"{entry.md5}"',
        "Last-Modified": format_datetime(updated, usegmt=True),
        "Accept-Ranges": "bytes",
        "x-goog-generation": str(entry.generation),
        "x-goog-metageneration": str(entry.metageneration),
        "x-goog-hash": f"crc32c={entry.crc32c},md5={entry.md5}",
        "x-goog-stored-content-length": str(entry.size),
        "x-goog-stored-content-encoding": entry.content_encoding or "identity",
        **{f"x-goog-meta-{name}": value for name, value in entry.metadata.items()},
    }
    disposition = query.get("response-content-disposition", entry.content_disposition)
    if disposition:
        headers["Content-Disposition"] = disposition
    if entry.content_encoding:
        headers["Content-Encoding"] = entry.content_encoding
    return headers
