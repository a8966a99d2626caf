"""Text to speech in the shape of a Chatterbox worker (runpod.md 5.5, second row)."""

import base64
import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import runpod
from runpod.serverless.utils import rp_upload
from runpod.serverless.utils.rp_validator import validate

from infra.local.workers.tones import LONGEST_DETUNE_HZ, speak
from infra.local.workers.waves import write_wav

JSON = dict[str, Any]

SAMPLE_RATE = 24_000
LONGEST_TEXT = 4_000

SPOKEN: JSON = {
    "voice": {"type": str, "required": False, "default": "narrator"},
    "exaggeration": {"type": float, "required": False, "default": 0.6},
    "cfg_weight": {"type": float, "required": False, "default": 0.5},
}
ONE: JSON = {"text": {"type": str, "required": True}, **SPOKEN}
MANY: JSON = {"segments": {"type": list, "required": True}}
SEGMENT: JSON = {"id": {"type": str, "required": True}, **ONE}


def handler(job: JSON) -> JSON:
    """Speak one text, or each of several segments."""
    given = job["input"]
    checked = validate(given, dict(MANY if "segments" in given else ONE))
    if "errors" in checked:
        return {"error": checked["errors"]}
    if "segments" in given:
        return _speak_all(job["id"], given["segments"])
    return _speak(job["id"], checked["validated_input"])


def _speak_all(job_id: str, segments: list[JSON]) -> JSON:
    started = time.perf_counter()
    results: list[JSON] = []
    for segment in segments:
        given = segment if isinstance(segment, dict) else {}
        checked = validate(given, dict(SEGMENT))
        if "errors" in checked:
            results.append({"id": given.get("id"), "error": "; ".join(checked["errors"])})
        else:
            results.append({"id": given["id"], **_speak(job_id, checked["validated_input"])})
    return {
        "results": results,
        "total_segments": len(results),
        "total_time_s": round(time.perf_counter() - started, 3),
    }


def _speak(job_id: str, wanted: JSON) -> JSON:
    """One spoken text: a voice is a pitch, exaggeration is loudness, cfg_weight slows."""
    started = time.perf_counter()
    text = wanted["text"][:LONGEST_TEXT]
    samples = speak(
        text,
        sample_rate=SAMPLE_RATE,
        detune_hz=_pitch(wanted["voice"]),
        pace=1.2 - 0.4 * min(1.0, max(0.0, wanted["cfg_weight"])),
        loudness=0.3 + 0.6 * min(1.0, max(0.0, wanted["exaggeration"])),
    )
    return _audio(job_id, write_wav(samples, SAMPLE_RATE)) | {
        "format": "wav",
        "sample_rate": SAMPLE_RATE,
        "duration_s": round(samples.size / SAMPLE_RATE, 3),
        "gen_time_s": round(time.perf_counter() - started, 3),
        "voice": wanted["voice"],
        "text_length": len(text),
    }


def _pitch(voice: str) -> float:
    share = hashlib.sha256(voice.encode()).digest()[0] / 255
    return (2 * share - 1) * LONGEST_DETUNE_HZ


def _audio(job_id: str, wav: bytes) -> JSON:
    """The audio inline, or as a link when the endpoint has a bucket."""
    if not os.environ.get("BUCKET_ENDPOINT_URL"):
        return {"audio_base64": base64.b64encode(wav).decode()}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"{os.urandom(4).hex()}.wav"
        path.write_bytes(wav)
        url = rp_upload.upload_file_to_bucket(
            path.name, str(path), prefix=job_id, extra_args={"ContentType": "audio/wav"}
        )
    return {"audio_url": url}


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler})
