"""Outputs in the shapes that the workers of the catalogue return, in all their generations.

The shapes are those of the workers' own code and captures; the media are tiny but real.
"""

import base64
import io
import json
import struct
import wave
import zlib
from typing import Any


def png(colour: int = 0) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes([0, colour]))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def wav() -> bytes:
    """A hundredth of a second of silence."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(24_000)
        sound.writeframes(b"\x00\x00" * 240)
    return buffer.getvalue()


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def data_uri(content: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64_of(content)}"


def sse(*events: dict[str, Any]) -> str:
    """What the proxying vLLM worker streams."""
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


SDXL = {"images": [data_uri(png())], "image_url": data_uri(png()), "seed": 42}
SDXL_TWO = {
    "images": [data_uri(png(1)), data_uri(png(2))],
    "image_url": data_uri(png(1)),
    "seed": 7,
}
SDXL_TURBO = {
    "images": [{"image": base64_of(png()), "seed": 9}],
    "generation_time": 0.41,
    "parameters": {"prompt": "SECRET PREFIX a cat", "num_inference_steps": 1},
}
COMFYUI = {"images": [{"filename": "C_1_.png", "type": "base64", "data": base64_of(png())}]}
COMFYUI_OLD = {"message": base64_of(png()), "status": "success"}

WHISPER = {
    "segments": [
        {
            "id": 1,
            "seek": 0,
            "start": 0.0,
            "end": 2.5,
            "text": " Four score",
            "tokens": [7451, 6175],
            "temperature": 0.0,
            "avg_logprob": -0.2,
            "compression_ratio": 1.1,
            "no_speech_prob": 0.01,
        }
    ],
    "detected_language": "en",
    "transcription": " Four score",
    "translation": None,
    "device": "cuda",
    "model": "turbo",
}

VLLM_OLD = [
    {"choices": [{"tokens": ["Because of", " scattering."]}], "usage": {"input": 7, "output": 10}}
]
VLLM_OLD_STREAMED = [
    {"choices": [{"tokens": ["Because"]}], "usage": {"input": 7, "output": 1}},
    {"choices": [{"tokens": [" of", " scattering."]}], "usage": {"input": 7, "output": 3}},
]
VLLM_NEW_CHAT = [
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "org/model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Because of scattering."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17},
    }
]
VLLM_NEW_COMPLETION = [
    {
        "id": "cmpl-1",
        "choices": [{"index": 0, "text": "Because of scattering.", "finish_reason": "length"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 16, "total_tokens": 23},
    }
]
_STREAM = sse(
    {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"delta": {"content": "Because of"}}]},
    {"choices": [{"delta": {"content": " scattering."}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17}},
)
VLLM_NEW_STREAMED = [_STREAM[:50], _STREAM[50:51], _STREAM[51:90], _STREAM[90:]]
VLLM_ERROR = (
    "{'message': 'vLLM returned HTTP 400: maximum context length is 4096 tokens', "
    "'type': 'worker_error', 'code': None}"
)

CHATTERBOX_YL = {
    "audio_base64": base64_of(wav()),
    "format": "wav",
    "sample_rate": 24000,
    "duration_s": 0.01,
    "gen_time_s": 1.3,
    "voice": "narrator",
    "text_length": 13,
}
CHATTERBOX_YL_BATCH = {
    "results": [{"id": "a", **CHATTERBOX_YL}, {"id": "b", "error": "voice not found"}],
    "total_segments": 2,
    "total_time_s": 2.2,
}
CHATTERBOX_RICARDO = {
    "audio": base64_of(wav()),
    "sample_rate": 24000,
    "duration": 0.01,
    "model_used": "english",
    "language": "en",
    "text_length": 13,
    "generation_time": 1.3,
}
CHATTERBOX_SRUCKH = [
    {
        "status": "success",
        "sample_rate": 24000,
        "duration_sec": 0.01,
        "audio_base64": base64_of(wav()),
    }
]
CHATTERBOX_SRUCKH_URL = [
    {"status": "success", "sample_rate": 24000, "audio_url": "https://files.example/a.wav?sig=1"}
]
CHATTERBOX_GERONIMI = {
    "status": "success",
    "audio_base64": base64_of(wav()),
    "metadata": {"sample_rate": 24000, "audio_shape": [1, 240]},
}
CHATTERBOX_PUBLIC = {"audio_url": "https://files.example/a.wav"}

RAISED = json.dumps(
    {
        "error_type": "<class 'RuntimeError'>",
        "error_message": "CUDA out of memory. Tried to allocate 2.00 GiB",
        "error_traceback": "Traceback (most recent call last): ...",
        "hostname": "abc123",
        "worker_id": "z3jr9rv2k3tt2y",
        "runpod_version": "1.7.9",
    }
)
