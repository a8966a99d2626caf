"""Speech to text in the shape of worker-faster_whisper (runpod.md 5.2)."""

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import runpod
from runpod.serverless.utils import download_files_from_urls, rp_cleanup
from runpod.serverless.utils.rp_validator import validate

from infra.local.workers.subtitles import render
from infra.local.workers.tones import Heard, Samples, is_silent, listen
from infra.local.workers.waves import read_wav

JSON = dict[str, Any]

MODELS = {"tiny", "base", "small", "medium", "large-v1", "large-v2", "large-v3", "turbo"}
UNINTELLIGIBLE = "[unintelligible]"
SENTENCE_ENDS = ".!?\n"

INPUTS: JSON = {
    "audio": {"type": str, "required": False, "default": None},
    "audio_base64": {"type": str, "required": False, "default": None},
    "model": {"type": str, "required": False, "default": "base"},
    "transcription": {"type": str, "required": False, "default": "plain_text"},
    "translation": {"type": str, "required": False, "default": "plain_text"},
    "translate": {"type": bool, "required": False, "default": False},
    "language": {"type": str, "required": False, "default": None},
    "temperature": {"type": float, "required": False, "default": 0},
    "best_of": {"type": int, "required": False, "default": 5},
    "beam_size": {"type": int, "required": False, "default": 5},
    "patience": {"type": float, "required": False, "default": 1.0},
    "length_penalty": {"type": float, "required": False, "default": 0},
    "suppress_tokens": {"type": str, "required": False, "default": "-1"},
    "initial_prompt": {"type": str, "required": False, "default": None},
    "condition_on_previous_text": {"type": bool, "required": False, "default": True},
    "temperature_increment_on_fallback": {"type": float, "required": False, "default": 0.2},
    "compression_ratio_threshold": {"type": float, "required": False, "default": 2.4},
    "logprob_threshold": {"type": float, "required": False, "default": -1.0},
    "no_speech_threshold": {"type": float, "required": False, "default": 0.6},
    "enable_vad": {"type": bool, "required": False, "default": False},
    "word_timestamps": {"type": bool, "required": False, "default": False},
}


def handler(job: JSON) -> JSON:
    """Transcribe the audio behind a URL or inline."""
    checked = validate(job["input"], dict(INPUTS))
    if "errors" in checked:
        return {"error": checked["errors"]}
    wanted = checked["validated_input"]
    if not wanted["audio"] and not wanted["audio_base64"]:
        return {"error": "Must provide either audio or audio_base64"}
    if wanted["audio"] and wanted["audio_base64"]:
        return {"error": "Must provide either audio or audio_base64, not both"}
    if wanted["model"] not in MODELS:
        raise ValueError(f"Invalid model name: {wanted['model']}. Available: {sorted(MODELS)}")
    try:
        return _transcribe(*read_wav(_fetch(job["id"], wanted)), wanted)
    finally:
        rp_cleanup.clean(["jobs"])


def _fetch(job_id: str, wanted: JSON) -> bytes:
    if wanted["audio_base64"]:
        return base64.b64decode(wanted["audio_base64"])
    path = download_files_from_urls(job_id, [wanted["audio"]])[0]
    # A failed download is the path None, as in the worker this stands in for.
    return Path(str(path)).read_bytes()


def _transcribe(samples: Samples, sample_rate: int, wanted: JSON) -> JSON:
    heard = listen(samples, sample_rate)
    seconds = round(samples.size / sample_rate, 2)
    if heard:
        segments = [_segment(i, s, wanted) for i, s in enumerate(_sentences(heard))]
    elif is_silent(samples):
        segments = []
    else:
        segments = [_segment(0, [Heard(UNINTELLIGIBLE, 0.0, seconds, 0.05)], wanted)]
    output: JSON = {
        "segments": segments,
        "detected_language": wanted["language"] or "en",
        "transcription": render(wanted["transcription"], segments),
        "translation": render(wanted["translation"], segments) if wanted["translate"] else None,
        "device": "cpu",
        "model": wanted["model"],
    }
    if wanted["word_timestamps"]:
        output["word_timestamps"] = _words(heard)
    return output


def _sentences(heard: list[Heard]) -> list[list[Heard]]:
    sentences: list[list[Heard]] = [[]]
    for character in heard:
        if character.text == " " and not sentences[-1]:
            continue
        sentences[-1].append(character)
        if character.text in SENTENCE_ENDS:
            sentences.append([])
    return [sentence for sentence in sentences if sentence]


def _segment(number: int, sentence: list[Heard], wanted: JSON) -> JSON:
    text = "".join(character.text for character in sentence)
    purity = float(np.mean([character.purity for character in sentence]))
    content = text.encode()
    return {
        "id": number + 1,
        "seek": int(sentence[0].start * 100),
        "start": round(sentence[0].start, 2),
        "end": round(sentence[-1].end, 2),
        "text": f" {text}",
        "tokens": list(content),
        "temperature": wanted["temperature"],
        "avg_logprob": round(float(np.log(max(purity, 1e-6))), 4),
        "compression_ratio": round(len(content) / len(zlib.compress(content)), 4),
        "no_speech_prob": round(1.0 - min(purity, 1.0), 4),
    }


def _words(heard: list[Heard]) -> list[JSON]:
    words: list[list[Heard]] = [[]]
    for character in heard:
        if character.text.isspace():
            words.append([])
        else:
            words[-1].append(character)
    return [
        {
            "word": "".join(character.text for character in word),
            "start": round(word[0].start, 2),
            "end": round(word[-1].end, 2),
        }
        for word in words
        if word
    ]


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler})
