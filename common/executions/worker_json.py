"""Taking a worker's JSON apart: media out, internal keys off, text made storable. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Any

MAX_MEDIA = 16
MAX_DEPTH = 32

# Where workers put media: under these names a URL or bare base64 counts; a data URI always does.
_MEDIA_KEYS = frozenset(
    (
        *("image", "images", "image_url", "imageUrl", "image_urls", "image_base64"),
        *("audio", "audios", "audio_url", "audioUrl", "audio_base64"),
        *("video", "videos", "video_url", "videoUrl", "video_base64"),
        *("file", "files", "file_url", "url", "urls", "data"),
        *("message", "output", "outputs", "result", "results"),
    )
)
# What belongs to the provider, to the machine, or to the merged inputs with their secret prompt.
_INTERNAL_KEYS = frozenset(
    (
        *("error", "errors", "error_type", "error_message", "error_traceback", "traceback"),
        *("hostname", "host", "worker_id", "workerId", "pod_id", "endpoint_id", "runpod_version"),
        *("job_id", "jobId", "refresh_worker", "stopPod"),
        *("input", "inputs", "parameters", "params", "request", "payload", "config", "arguments"),
        *("prompt", "negative_prompt"),
    )
)
_URL = re.compile(r"https?://[^\s]{1,8000}")
_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]{64,}={0,2}\s*")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unusable(Exception):
    """The output is nested too deeply or holds too many media."""


@dataclass(frozen=True)
class Medium:
    """One medium as the worker gave it: a data URI, bare base64 or a URL."""

    source: str


@dataclass(frozen=True)
class Reference:
    """Stands where the medium of that number was."""

    index: int


def take_media(node: Any, media: list[Medium], *, named: bool = False, depth: int = 0) -> Any:
    """A copy in which each medium is a Reference into `media`; equal media share one number.

    named: whether the node stands under a name for media. Raises Unusable.
    """
    if depth > MAX_DEPTH:
        raise Unusable("nested too deeply")
    if isinstance(node, dict):
        return {
            key: take_media(value, media, named=key in _MEDIA_KEYS, depth=depth + 1)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [take_media(entry, media, named=named, depth=depth + 1) for entry in node]
    if isinstance(node, str) and _is_medium(node, named=named):
        return Reference(_number(Medium(node), media))
    return node


def fit_to_show(node: Any, withheld: frozenset[str], depth: int = 0) -> Any:
    """A copy without internal and withheld keys, of values that jsonb can hold."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(node, dict):
        return {
            storable_text(str(key)): fit_to_show(value, withheld, depth + 1)
            for key, value in node.items()
            if key not in _INTERNAL_KEYS and key not in withheld
        }
    if isinstance(node, list):
        return [fit_to_show(entry, withheld, depth + 1) for entry in node]
    if isinstance(node, str):
        return storable_text(node)
    return None if isinstance(node, float) and not math.isfinite(node) else node


def storable_text(text: str) -> str:
    """The text with a mark in place of each character that jsonb refuses."""
    return _UNSTORABLE.sub("\ufffd", text)


def _is_medium(text: str, *, named: bool) -> bool:
    if text.startswith("data:"):
        return True
    return named and bool(_URL.fullmatch(text) or _BASE64.fullmatch(text))


def _number(medium: Medium, media: list[Medium]) -> int:
    if medium not in media:
        if len(media) == MAX_MEDIA:
            raise Unusable("too many media")
        media.append(medium)
    return media.index(medium)
