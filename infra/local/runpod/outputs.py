"""What faults do to a job's output: disguised errors (F9), spoilt media (F15), other shapes (F19).

The shapes are those of runpod.md 5.
"""

import base64
import re
import zlib
from collections.abc import Callable
from typing import Any

JSON = dict[str, Any]

DATA_URI = re.compile(r"^data:([\w.+-]+/[\w.+-]+);base64,")
BASE64 = re.compile(r"^[A-Za-z0-9+/\r\n]{64,}={0,2}$")
PAGE = b"<!doctype html><title>Sign in</title><p>This is no picture and no sound.</p>"


def disguised_error(variant: str) -> Any:
    """An output that is really an error, in one of the ways workers write it (F9)."""
    shapes: dict[str, Any] = {
        "error_key": {"error": "CUDA out of memory. Tried to allocate 2.00 GiB"},
        "status_key": {"status": "error", "message": "model failed to load"},
        "text": "Error: expected a tensor on device cuda:0, found cpu",
        "listed": [{"error": {"message": "engine is dead", "type": "worker_error"}}],
    }
    return shapes[variant]


def spoil_media(output: Any, *, variant: str, media_url: str) -> Any:
    """The output with every medium in it made useless (F15).

    URLs become ones under `media_url` that refuse or serve a page; inline media are broken or
    replaced by a page. An output without media stays as it is.
    """

    def spoil(text: str) -> str:
        if text.startswith(("http://", "https://")):
            return f"{media_url}/{variant}/{zlib.crc32(text.encode()):08x}.png"
        prefix = DATA_URI.match(text)
        if prefix is None and not BASE64.match(text):
            return text
        if variant in ("expired", "forbidden"):
            return f"{media_url}/{variant}/inline.png"
        if variant == "broken_base64":
            return text[: len(text) // 2] + "*!" + text[len(text) // 2 :]
        page = base64.b64encode(PAGE).decode()
        return f"data:text/html;base64,{page}" if prefix else page

    return _map_strings(output, spoil)


def other_generation(output: Any) -> Any:  # noqa: PLR0911 - one return per known shape
    """The output as the worker's other generation would write it (F19).

    Known pairs: vLLM before and after 2.24, sdxl and sdxl-turbo, the two Chatterbox shapes,
    ComfyUI before and after 5.0. Anything else is wrapped as {"result": output}.
    """
    match output:
        case [{"choices": [{"tokens": [*texts]}, *_], "usage": usage}, *_]:
            return [_new_vllm("".join(texts), usage)]
        case [{"choices": [{"message": {"content": text}}, *_], "usage": usage}, *_]:
            return [_old_vllm(text, usage)]
        case {"images": [str(), *_] as images}:
            bare = [{"image": DATA_URI.sub("", i), "seed": output.get("seed", 0)} for i in images]
            return {"images": bare, "generation_time": 1.0, "parameters": {}}
        case {"images": [{"image": str()}, *_] as images}:
            uris = ["data:image/png;base64," + i["image"] for i in images]
            return {"images": uris, "image_url": uris[0], "seed": images[0].get("seed", 0)}
        case {"images": [{"data": str(data)}, *_]}:
            return {"message": data, "status": "success"}
        case {"audio_base64": str(audio)}:
            return {
                "audio": audio,
                "sample_rate": output.get("sample_rate"),
                "duration": output.get("duration_s"),
                "model_used": "english",
                "language": "en",
                "text_length": output.get("text_length"),
                "generation_time": output.get("gen_time_s"),
            }
        case _:
            return {"result": output}


def _new_vllm(text: str, usage: JSON) -> JSON:
    prompt, completion = usage.get("input", 0), usage.get("output", 0)
    return {
        "id": "chatcmpl-sim",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }


def _old_vllm(text: str, usage: JSON) -> JSON:
    return {
        "choices": [{"tokens": [text]}],
        "usage": {
            "input": usage.get("prompt_tokens", 0),
            "output": usage.get("completion_tokens", 0),
        },
    }


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _map_strings(item, change) for key, item in value.items()}
    return value
