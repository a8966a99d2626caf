"""What a worker's output means: a result, with its media still inside it, or a failure. Pure.

COMPLETED at RunPod is not success yet (design.md section 6). An adapter, named by the base model,
knows one family of workers (runpod.md section 5) in all their generations.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from common.executions.vllm_text import read_answer
from common.executions.worker_errors import Failure, error_inside, failure, failure_of
from common.executions.worker_json import (
    Medium,
    Unusable,
    fit_to_show,
    storable_text,
    take_media,
)
from common.gateways.runpod_report import MISSING

__all__ = ["MISSING", "Failure", "Medium", "Reading", "failure_of", "present_output", "read_output"]

MEDIA_TYPES = frozenset({"IMAGE", "AUDIO", "VIDEO", "FILE"})

# The names under which existing clients look for a result (contract.md 6.3).
_URL_KEYS = {
    "IMAGE": ("image_url", "imageUrl", "url"),
    "AUDIO": ("audio_url", "audioUrl"),
    "VIDEO": ("video_url", "videoUrl"),
    "FILE": ("file_url", "url"),
}
_TEXT_KEYS = ("text", "result", "content")

Sign = Callable[[str], tuple[str, str]]


@dataclass(frozen=True)
class Reading:
    """A failure; or a result, whose `raw` holds the worker's own keys that a consumer may see."""

    failure: Failure | None = None
    output_type: str = "JSON"
    media: tuple[Medium, ...] = ()
    raw: dict[str, Any] | None = None
    text: str | None = None
    seed: int | None = None


class _NotSuccess(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


@dataclass(frozen=True)
class _Adapter:
    """How to read a family of workers, and which keys of its output repeat an input field."""

    read: Callable[[str, Any], Reading]
    echoes: frozenset[str]


def read_output(
    adapter: str, output_type: str, raw: Any, *, withheld: Collection[str] = ()
) -> Reading:
    """Reads the output of a COMPLETED job; `raw` is MISSING when there was none.

    adapter: sdxl, faster_whisper, vllm, chatterbox or generic (any other name reads as generic).
    output_type: the base model's. withheld: names of the hidden fields, whose values a worker may
    repeat in its output; they are left out.
    """
    chosen = _ADAPTERS.get(adapter)
    try:
        _refuse_errors(raw)
        reading = (chosen.read if chosen else _read_generic)(output_type, raw)
    except _NotSuccess as found:
        return Reading(failure=found.failure)
    except Unusable:
        return Reading(failure=failure("OUTPUT_UNREADABLE"))
    dropped = frozenset(withheld) & chosen.echoes if chosen else frozenset(withheld)
    return replace(
        reading,
        raw=fit_to_show(reading.raw or {}, dropped),
        text=None if reading.text is None else storable_text(reading.text),
        seed=None if "seed" in withheld else reading.seed,
    )


def present_output(stored: Mapping[str, Any], sign: Sign) -> dict[str, Any]:
    """What a client reads, of what `store_media` made.

    sign: object name -> (URL, ISO-8601 time at which it expires). The worker's keys come first, so
    that a name of ours always means what we say.
    """
    outputs = [_signed(entry, *sign(entry["object"])) for entry in stored["outputs"]]
    shown: dict[str, Any] = _linked(stored["raw"], [entry["url"] for entry in outputs])
    first = next((entry for entry in outputs if entry["type"] == stored["type"]), None)
    if first:
        shown |= dict.fromkeys(_URL_KEYS[first["type"]], first["url"])
    if stored["text"] is not None:
        keys = _TEXT_KEYS if stored["type"] == "TEXT" else _TEXT_KEYS[:1]
        shown |= dict.fromkeys(keys, stored["text"])
    if stored["seed"] is not None:
        shown["seed"] = stored["seed"]
    return shown | {"outputs": outputs}


def _signed(entry: dict[str, Any], url: str, expires_at: str) -> dict[str, Any]:
    facts = {key: entry[key] for key in ("type", "mime", "bytes", "sha256")}
    return {**facts, "url": url, "expiresAt": expires_at}


def _linked(node: Any, urls: list[str]) -> Any:
    """The worker's keys with links for media; a key that promises base64 would lie and is left."""
    if isinstance(node, dict):
        if isinstance(node.get("$output"), int) and node["$output"] < len(urls):
            return urls[node["$output"]]
        return {
            key: _linked(value, urls)
            for key, value in node.items()
            if not (key.endswith("_base64") and isinstance(value, dict) and "$output" in value)
        }
    return [_linked(entry, urls) for entry in node] if isinstance(node, list) else node


def _refuse_errors(raw: Any) -> None:
    if raw is MISSING or raw in (None, "", {}, []):
        raise _NotSuccess(failure("NO_OUTPUT"))
    error = error_inside(raw)
    if error is not None:
        raise _NotSuccess(failure_of(error))


def _read_sdxl(output_type: str, raw: Any) -> Reading:
    """worker-sdxl and worker-sdxl-turbo: data URIs, bare base64, or presigned URLs."""
    return _with_media(output_type, raw, keep={"images", "image_url", "seed", "generation_time"})


def _read_chatterbox(output_type: str, raw: Any) -> Reading:
    """All shapes of runpod.md 5.5, list-wrapped or not, single or batch."""
    keep = {
        *("audio", "audio_base64", "audio_url", "results", "format", "voice", "metadata"),
        *("sample_rate", "duration", "duration_s", "duration_sec", "text_length", "language"),
        *("generation_time", "gen_time_s", "total_segments", "total_time_s"),
    }
    return _with_media(output_type, raw, keep=keep)


def _read_faster_whisper(output_type: str, raw: Any) -> Reading:
    """A transcript; an empty one is a result too, since silence has no words."""
    raw = _unwrapped(raw)
    if not isinstance(raw, dict) or not isinstance(raw.get("transcription"), str):
        raise _NotSuccess(failure("OUTPUT_UNREADABLE"))
    keep = {
        *("segments", "detected_language", "transcription", "translation"),
        *("word_timestamps", "model"),
    }
    kept = {key: value for key, value in raw.items() if key in keep}
    return Reading(None, output_type, (), kept, raw["transcription"])


def _read_vllm(output_type: str, raw: Any) -> Reading:
    """Both generations, streamed or not; the answer is the text of the first choice."""
    answer = read_answer(raw)
    if answer.error is not None:
        raise _NotSuccess(failure_of(answer.error))
    if not answer.chunks:
        raise _NotSuccess(failure("OUTPUT_UNREADABLE"))
    if not answer.text:
        raise _NotSuccess(failure("NO_OUTPUT"))
    facts = {"usage": answer.usage, "finish_reason": answer.finish_reason}
    kept = {key: value for key, value in facts.items() if value is not None}
    return Reading(None, output_type, (), kept, answer.text)


def _read_generic(output_type: str, raw: Any) -> Reading:
    """Any worker: media wherever they usually are, text under its usual names, else the JSON."""
    if output_type in MEDIA_TYPES:
        return _with_media(output_type, raw, keep=None)
    media: list[Medium] = []
    kept = take_media(raw, media)
    text = next((text for text in _texts(_unwrapped(kept)) if text), None)
    if output_type == "TEXT" and text is None:
        raise _NotSuccess(failure("OUTPUT_WRONG_TYPE"))
    body = kept if isinstance(kept, dict) else {"result": kept}
    return Reading(
        None, output_type, tuple(media), body, text if output_type == "TEXT" else None, _seed(kept)
    )


_ADAPTERS = {
    "sdxl": _Adapter(_read_sdxl, frozenset({"seed"})),
    "faster_whisper": _Adapter(_read_faster_whisper, frozenset({"model", "temperature"})),
    "vllm": _Adapter(_read_vllm, frozenset()),
    "chatterbox": _Adapter(_read_chatterbox, frozenset({"voice", "language", "format"})),
}


def _with_media(output_type: str, raw: Any, *, keep: set[str] | None) -> Reading:
    """A result that must hold at least one medium; `keep` bounds the top-level keys."""
    media: list[Medium] = []
    found = _unwrapped(raw)
    if isinstance(found, dict) and keep is not None:
        found = {key: value for key, value in found.items() if key in keep}
    kept = take_media(found, media, named=True)
    if not media and isinstance(found, str):
        # Some workers return the text of an exception as if it were the result (runpod.md 5.5).
        raise _NotSuccess(failure_of(found))
    if not media:
        raise _NotSuccess(failure("OUTPUT_UNREADABLE"))
    body = kept if isinstance(kept, dict) else {"result": kept}
    return Reading(None, output_type, tuple(media), body, None, _seed(kept))


def _unwrapped(raw: Any) -> Any:
    """What stands alone in a list or under one general name: some workers wrap, some do not."""
    if isinstance(raw, list) and len(raw) == 1:
        return _unwrapped(raw[0])
    if isinstance(raw, dict) and len(raw) == 1 and isinstance(raw.get("result"), dict | list):
        return _unwrapped(raw["result"])
    return raw


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        names = ("text", "result", "content", "output", "generated_text", "transcription")
        yield from (node[name] for name in names if isinstance(node.get(name), str))
    elif isinstance(node, list) and all(isinstance(entry, str) for entry in node):
        yield "".join(node)


def _seed(node: Any) -> int | None:
    """The seed of the result, or of its first image (worker-sdxl-turbo)."""
    if not isinstance(node, dict):
        return None
    images = node.get("images")
    if "seed" not in node and isinstance(images, list) and images and isinstance(images[0], dict):
        node = images[0]
    seed = node.get("seed")
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None
