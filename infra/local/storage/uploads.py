"""Bodies: multipart/related taken apart, and resumable sessions put together."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from infra.local.storage.disk import Traits
from infra.local.storage.errors import bad_request, no_route

RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


def parts_of(content_type: str, body: bytes) -> tuple[dict[str, Any], str, bytes]:
    """Metadata, media type and media of a multipart/related upload."""
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str):
        raise bad_request("A multipart upload needs a boundary")
    sections = body.split(b"--" + boundary.encode())
    if len(sections) != 4:
        raise bad_request("A multipart upload has two parts")
    _, metadata = _headers_and_body(sections[1])
    media_type, media = _headers_and_body(sections[2])
    try:
        return json.loads(metadata or b"{}"), media_type, media
    except ValueError:
        raise bad_request("Parse Error") from None


def _headers_and_body(section: bytes) -> tuple[str, bytes]:
    section = section.removeprefix(b"\r\n").removesuffix(b"\r\n")
    head, _, body = section.partition(b"\r\n\r\n")
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-type":
            return value.strip(), body
    return "", body


def traits_from(resource: dict[str, Any], media_type: str) -> Traits:
    """An object's traits from the JSON API's resource, and the media's own type."""
    return Traits(
        content_type=resource.get("contentType") or media_type or "application/octet-stream",
        cache_control=resource.get("cacheControl") or "",
        content_disposition=resource.get("contentDisposition") or "",
        content_encoding=resource.get("contentEncoding") or "",
        metadata=resource.get("metadata") or {},
    )


@dataclass(kw_only=True)
class Session:
    """A resumable upload under way; its id is the only permission it needs."""

    bucket: str
    name: str
    traits: Traits
    conditions: dict[str, str]
    received: bytearray = field(default_factory=bytearray)

    def add(self, content_range: str, body: bytes) -> bool:
        """Take a piece in; True when it was the last one."""
        found = RANGE.fullmatch(content_range) if content_range else None
        if content_range and found is None:
            raise bad_request(f"Malformed Content-Range: {content_range}")
        if found is None:
            self.received[:] = body
            return True
        start, _, total = found.groups()
        if start is not None:
            if int(start) > len(self.received):
                raise bad_request("The piece leaves a gap")
            self.received[int(start) :] = body
        return total != "*" and len(self.received) == int(total)


class Sessions:
    """The resumable uploads under way, in memory: a restart makes their clients begin again."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def begin(self, session: Session) -> str:
        """Register a session; answers its id."""
        key = secrets.token_urlsafe(24)
        self._open[key] = session
        return key

    def get(self, key: str) -> Session:
        """The session of that id; refuses one that is unknown or over."""
        if key not in self._open:
            raise no_route("upload session")
        return self._open[key]

    def end(self, key: str) -> None:
        """Forget a session."""
        self._open.pop(key, None)
