"""Taking a result's media to our own storage: workers' links expire, and base64 fills databases.

Doing it twice is harmless: an object's name follows from its content (runpod.md 7, P6 and P14).
"""

import base64
import binascii
import hashlib
import json
import re
from typing import Any, Protocol, TypedDict

from common.executions.outputs import MEDIA_TYPES, Reading
from common.executions.worker_errors import MESSAGES
from common.executions.worker_json import Medium, Reference
from common.gateways.outbound import Fetched, OutboundError, TooLarge

MAX_MEDIUM_BYTES = 50 * 1024 * 1024
MAX_TOTAL_BYTES = 100 * 1024 * 1024
MAX_RAW_BYTES = 4 * 1024 * 1024
FETCH_TIMEOUT_S = 60.0

_DATA_URI = re.compile(r"data:[\w.+/-]*(;[\w=.-]+)*;base64,")

# What we serve: sniffed type -> type told to browsers and file extension. Nothing that a browser
# would run (HTML, SVG) is in it.
_SERVED = {
    "image/png": ("image/png", "png"),
    "image/apng": ("image/png", "png"),
    "image/jpeg": ("image/jpeg", "jpg"),
    "image/webp": ("image/webp", "webp"),
    "image/gif": ("image/gif", "gif"),
    "image/avif": ("image/avif", "avif"),
    "audio/x-wav": ("audio/wav", "wav"),
    "audio/mpeg": ("audio/mpeg", "mp3"),
    "audio/x-flac": ("audio/flac", "flac"),
    "audio/ogg": ("audio/ogg", "ogg"),
    "audio/mp4": ("audio/mp4", "m4a"),
    "audio/aac": ("audio/aac", "aac"),
    "video/mp4": ("video/mp4", "mp4"),
    "video/webm": ("video/webm", "webm"),
    "video/quicktime": ("video/quicktime", "mov"),
    "application/pdf": ("application/pdf", "pdf"),
    "application/zip": ("application/zip", "zip"),
}
_UNKNOWN = ("application/octet-stream", "bin")


class MediaStore(Protocol):
    """Where media go; see common.gateways.storage."""

    def put(self, name: str, content: bytes, content_type: str) -> None:
        """Store once; storing the same name again changes nothing."""


class MediaFetcher(Protocol):
    """How media that a worker left elsewhere are had; see common.gateways.outbound."""

    def fetch(self, url: str, *, max_bytes: int, timeout_s: float) -> Fetched:
        """Raises OutboundError."""


class OutputRefused(Exception):
    """The result cannot be taken: the run fails with this code and sentence."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.message = MESSAGES[code]


class StoredMedium(TypedDict):
    """One stored object; type is IMAGE, AUDIO, VIDEO or FILE, bytes its size."""

    type: str
    mime: str
    object: str
    bytes: int
    sha256: str


class StoredOutput(TypedDict):
    """A result as the execution keeps it: JSON. In raw, {"$output": n} marks the nth medium."""

    type: str
    outputs: list[StoredMedium]
    raw: dict[str, Any]
    text: str | None
    seed: int | None


def store_media(
    reading: Reading, *, storage: MediaStore, outbound: MediaFetcher, prefix: str
) -> StoredOutput:
    """Fetches or decodes each medium of a successful reading, checks it and stores it.

    Objects are named {prefix}/{index}-{16 hex digits of the sha256}.{extension}. All media are
    checked before the first is stored. Raises OutputRefused; GatewayError when the storage, or the
    host of a link, gave no answer, so that nothing is decided yet.
    """
    raw = _marked(reading.raw or {})
    if len(json.dumps(raw)) + len(reading.text or "") > MAX_RAW_BYTES:
        raise OutputRefused("OUTPUT_TOO_LARGE")
    outputs, contents, room = [], [], MAX_TOTAL_BYTES
    for index, medium in enumerate(reading.media):
        content = _content(medium, outbound, max_bytes=min(room, MAX_MEDIUM_BYTES))
        room -= len(content)
        outputs.append(_described(content, reading.output_type, f"{prefix}/{index}"))
        contents.append(content)
    for entry, content in zip(outputs, contents, strict=True):
        storage.put(entry["object"], content, entry["mime"])
    return {
        "type": reading.output_type,
        "outputs": outputs,
        "raw": raw,
        "text": reading.text,
        "seed": reading.seed,
    }


def is_link(medium: Medium) -> bool:
    """Whether the worker left the medium elsewhere."""
    return medium.source.startswith(("http://", "https://"))


def _content(medium: Medium, outbound: MediaFetcher, *, max_bytes: int) -> bytes:
    if is_link(medium):
        return _fetched(medium.source, outbound, max_bytes=max_bytes)
    content = _decoded(medium.source)
    if len(content) > max_bytes:
        raise OutputRefused("OUTPUT_TOO_LARGE")
    return content


def _fetched(url: str, outbound: MediaFetcher, *, max_bytes: int) -> bytes:
    try:
        return outbound.fetch(url, max_bytes=max_bytes, timeout_s=FETCH_TIMEOUT_S).content
    except TooLarge:
        raise OutputRefused("OUTPUT_TOO_LARGE") from None
    except OutboundError as error:
        if error.passing:
            raise
        raise OutputRefused("OUTPUT_UNREACHABLE", str(error)) from None


def _decoded(source: str) -> bytes:
    head = _DATA_URI.match(source)
    if source.startswith("data:") and not head:
        raise OutputRefused("OUTPUT_UNREADABLE", "data URI without base64")
    text = "".join(source[head.end() if head else 0 :].split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise OutputRefused("OUTPUT_UNREADABLE", "broken base64") from None


def _described(content: bytes, output_type: str, name: str) -> StoredMedium:
    """Facts of a medium. What the worker calls it is not asked: only its first bytes count."""
    import filetype  # type: ignore[import-untyped] # it has no stubs

    if not content:
        raise OutputRefused("OUTPUT_UNREADABLE", "empty")
    mime, extension = _SERVED.get(filetype.guess_mime(content), _UNKNOWN)
    kind = mime.partition("/")[0].upper()
    kind = kind if kind in MEDIA_TYPES else "FILE"
    if output_type in MEDIA_TYPES - {"FILE"} and kind != output_type:
        raise OutputRefused("OUTPUT_WRONG_TYPE", mime)
    digest = hashlib.sha256(content).hexdigest()
    return {
        "type": "FILE" if output_type == "FILE" else kind,
        "mime": mime,
        "object": f"{name}-{digest[:16]}.{extension}",
        "bytes": len(content),
        "sha256": digest,
    }


def _marked(node: Any) -> Any:
    """The worker's keys as JSON, with a mark for each medium."""
    if isinstance(node, Reference):
        return {"$output": node.index}
    if isinstance(node, dict):
        return {key: _marked(value) for key, value in node.items()}
    return [_marked(entry) for entry in node] if isinstance(node, list) else node
