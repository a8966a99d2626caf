"""Chatterbox speaks and faster-whisper understands it (runpod.md 5.2 and 5.5)."""

import base64
import json
from collections.abc import Callable

import pytest

from tests.local.workers.conftest import Ask
from tests.local.workers.media import make_wav, open_wav

TEXT = "The lamps are lit. Who walks across the bridge? Grüße, 東京!"


def test_what_chatterbox_speaks_is_what_whisper_hears(ask: Ask) -> None:
    spoken = ask("chatterbox", text=TEXT)["output"]
    assert spoken.keys() == {
        "audio_base64",
        "format",
        "sample_rate",
        "duration_s",
        "gen_time_s",
        "voice",
        "text_length",
    }
    sound = open_wav(base64.b64decode(spoken["audio_base64"]))
    assert sound.rate == spoken["sample_rate"] == 24_000
    assert sound.seconds == pytest.approx(spoken["duration_s"], abs=0.01)
    assert sound.loudest > 5_000
    assert spoken["text_length"] == len(TEXT)

    heard = ask(
        "whisper",
        audio_base64=spoken["audio_base64"],
        model="turbo",
        transcription="srt",
        translation="vtt",
        translate=True,
        word_timestamps=True,
    )["output"]
    assert [segment["text"] for segment in heard["segments"]] == [
        " The lamps are lit.",
        " Who walks across the bridge?",
        " Grüße, 東京!",
    ]
    assert heard["segments"][-1]["end"] == pytest.approx(spoken["duration_s"], abs=0.1)
    assert heard["transcription"].startswith("1\n00:00:00,0")
    assert "\n\n2\n" in heard["transcription"]
    assert heard["translation"].startswith("00:00:00.0")
    assert [word["word"] for word in heard["word_timestamps"]] == TEXT.split()
    assert (heard["device"], heard["model"], heard["detected_language"]) == ("cpu", "turbo", "en")


def test_every_voice_pace_and_loudness_is_understood(
    ask: Ask, serve: Callable[[bytes, str], str]
) -> None:
    segments = [
        {"id": "a", "text": "one", "voice": "lucy", "cfg_weight": 0.0, "exaggeration": 0.0},
        {"id": "b", "text": "two", "voice": "brian", "cfg_weight": 1.0, "exaggeration": 1.0},
        {"id": "c", "voice": "lucy"},
    ]
    batch = ask("chatterbox", segments=segments)["output"]
    assert batch["total_segments"] == 3
    first, second, failed = batch["results"]
    assert "text is a required input." in failed["error"]
    assert first["duration_s"] < second["duration_s"]
    for spoken, text in ((first, "one"), (second, "two")):
        url = serve(base64.b64decode(spoken["audio_base64"]), f"{text}.wav")
        assert ask("whisper", audio=url)["output"]["transcription"] == text


@pytest.mark.parametrize("kind", ["noise", "chord"])
def test_other_sounds_are_called_unintelligible_with_their_duration(ask: Ask, kind: str) -> None:
    audio = base64.b64encode(make_wav(kind, seconds=1.5)).decode()
    heard = ask("whisper", audio_base64=audio)["output"]
    (segment,) = heard["segments"]
    assert (segment["start"], segment["end"]) == (0.0, 1.5)
    assert heard["transcription"] == "[unintelligible]"
    assert segment["no_speech_prob"] > 0.9


def test_silence_has_no_segments(ask: Ask) -> None:
    audio = base64.b64encode(make_wav("silence", seconds=0.5)).decode()
    heard = ask("whisper", audio_base64=audio)["output"]
    assert (heard["segments"], heard["transcription"]) == ([], "")


def test_text_beyond_the_limit_is_cut_silently(ask: Ask) -> None:
    spoken = ask("chatterbox", text="ha " * 2000)["output"]
    assert spoken["text_length"] == 4000


@pytest.mark.parametrize(
    ("endpoint", "given"),
    [
        ("whisper", {"audio": 5}),
        ("whisper", {"audio_base64": "x", "pitch": 1}),
        ("chatterbox", {"voice": "lucy"}),
        ("chatterbox", {"text": "x", "exaggeration": "much"}),
    ],
)
def test_bad_inputs_are_a_list_and_so_the_job_completes_without_output(
    ask: Ask, endpoint: str, given: dict[str, object]
) -> None:
    job = ask(endpoint, **given)
    assert job["status"] == "COMPLETED"
    assert job.keys().isdisjoint({"output", "error"})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"model": "base"}, "Must provide either audio or audio_base64"),
        ({"audio": "x", "audio_base64": "y"}, "not both"),
        ({"audio_base64": "bm90IGEgd2F2"}, "Invalid data"),
        ({"audio_base64": "bm90IGEgd2F2", "model": "distil-large-v3"}, "Invalid model name"),
        ({"audio": "http://127.0.0.1:1/a.wav"}, "No such file"),
    ],
)
def test_whisper_fails_with_a_text(ask: Ask, given: dict[str, object], reason: str) -> None:
    job = ask("whisper", **given)
    assert job["status"] == "FAILED"
    assert reason in job["error"]
    if job["error"].startswith("{"):
        assert json.loads(job["error"])["error_traceback"]
