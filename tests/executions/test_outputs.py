"""What each worker's output means: the result in one form, or a failure in neutral words."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.executions.outputs import MISSING, Reading, present_output, read_output
from common.executions.worker_errors import MESSAGES, failure_of
from common.executions.worker_json import Medium, Reference
from tests.executions import recorded

ANSWER = "Because of scattering."


def failed(adapter: str, output_type: str, raw: Any) -> str:
    reading = read_output(adapter, output_type, raw)
    assert reading.failure is not None
    assert not reading.media
    assert reading.failure.message == MESSAGES[reading.failure.code]
    return reading.failure.code


def succeeded(adapter: str, output_type: str, raw: Any, **more: Any) -> Reading:
    reading = read_output(adapter, output_type, raw, **more)
    assert reading.failure is None
    return reading


def test_an_sdxl_picture_is_found_once_although_named_twice() -> None:
    reading = succeeded("sdxl", "IMAGE", recorded.SDXL)
    assert reading.media == (Medium(recorded.SDXL["image_url"]),)  # type: ignore[arg-type]
    assert reading.seed == 42


def test_two_sdxl_pictures_keep_their_order() -> None:
    reading = succeeded("sdxl", "IMAGE", recorded.SDXL_TWO)
    assert [medium.source for medium in reading.media] == recorded.SDXL_TWO["images"]


def test_sdxl_turbo_gives_bare_base64_and_a_seed_for_each_picture() -> None:
    reading = succeeded("sdxl", "IMAGE", recorded.SDXL_TURBO)
    assert len(reading.media) == 1
    assert reading.seed == 9


def test_the_prompt_that_a_worker_repeats_is_kept_from_the_result() -> None:
    for adapter in ("sdxl", "generic"):
        reading = succeeded(adapter, "IMAGE", recorded.SDXL_TURBO)
        assert "SECRET" not in repr(reading.raw)


def test_pictures_by_presigned_url_are_media_too() -> None:
    url = "https://bucket.example/06-26/job/abc.png?X-Amz-Signature=1"
    raw = {"images": [url], "image_url": url, "seed": 1}
    assert succeeded("sdxl", "IMAGE", raw).media == (Medium(url),)


@pytest.mark.parametrize("raw", [recorded.COMFYUI, recorded.COMFYUI_OLD, [recorded.SDXL]])
def test_the_generic_adapter_finds_pictures_of_other_workers(raw: Any) -> None:
    assert len(succeeded("generic", "IMAGE", raw).media) == 1


def test_a_transcript_is_text_and_data() -> None:
    reading = succeeded("faster_whisper", "JSON", recorded.WHISPER)
    assert reading.text == " Four score"
    assert reading.raw is not None
    assert reading.raw["segments"][0]["end"] == 2.5
    assert reading.raw["detected_language"] == "en"
    assert "device" not in reading.raw


def test_silence_is_a_transcript_without_words() -> None:
    raw = {**recorded.WHISPER, "transcription": "", "segments": []}
    assert succeeded("faster_whisper", "JSON", raw).text == ""


@pytest.mark.parametrize(
    "raw",
    [
        recorded.VLLM_OLD,
        recorded.VLLM_OLD_STREAMED,
        recorded.VLLM_NEW_CHAT,
        recorded.VLLM_NEW_COMPLETION,
        recorded.VLLM_NEW_STREAMED,
        recorded.VLLM_NEW_CHAT[0],
        [json.dumps(recorded.VLLM_NEW_CHAT[0])],
    ],
)
def test_both_vllm_generations_give_the_same_answer_p15(raw: Any) -> None:
    reading = succeeded("vllm", "TEXT", raw)
    assert reading.text == ANSWER
    assert reading.raw is not None
    assert reading.raw["usage"]["prompt_tokens"] == 7
    assert "org/model" not in repr(reading)


def test_a_stream_cut_at_any_character_reads_the_same() -> None:
    whole = "".join(recorded.VLLM_NEW_STREAMED)
    for cut in range(1, len(whole)):
        assert succeeded("vllm", "TEXT", [whole[:cut], whole[cut:]]).text == ANSWER


@pytest.mark.parametrize(
    "raw",
    [
        recorded.CHATTERBOX_YL,
        recorded.CHATTERBOX_YL_BATCH,
        recorded.CHATTERBOX_RICARDO,
        recorded.CHATTERBOX_SRUCKH,
        recorded.CHATTERBOX_SRUCKH_URL,
        recorded.CHATTERBOX_GERONIMI,
        recorded.CHATTERBOX_PUBLIC,
    ],
)
def test_every_chatterbox_shape_gives_one_sound(raw: Any) -> None:
    assert len(succeeded("chatterbox", "AUDIO", raw).media) == 1


@pytest.mark.parametrize("raw", [MISSING, None, "", {}, []])
@pytest.mark.parametrize("adapter", ["sdxl", "faster_whisper", "vllm", "chatterbox", "generic"])
def test_completed_without_output_is_a_failure_p3(adapter: str, raw: Any) -> None:
    assert failed(adapter, "IMAGE", raw) == "NO_OUTPUT"


@pytest.mark.parametrize(
    "raw",
    [
        {"error": "boom"},
        {"error": ["Unexpected input. foo is not a valid input option."]},
        {"error": {"message": "boom", "type": "worker_error"}},
        {"status": "error", "message": "model failed to load"},
        {"status": "FAILED"},
        "Error: expected a tensor on device cuda:0, found cpu",
        "RuntimeError: CUDA error",
        "Traceback (most recent call last):\n  File ...",
        [{"error": {"message": "engine is dead", "type": "worker_error"}}],
        [{"choices": [{"tokens": ["a"]}]}, {"error": "boom"}],
    ],
)
@pytest.mark.parametrize("adapter", ["sdxl", "vllm", "chatterbox", "generic"])
def test_an_error_inside_a_completed_output_is_a_failure_f9(adapter: str, raw: Any) -> None:
    assert failed(adapter, "TEXT", raw) in {"WORKER_ERROR", "INPUTS_REJECTED"}


def test_an_error_text_returned_as_the_result_is_a_failure() -> None:
    raw = "CUDA error: an illegal memory access was encountered"
    assert failed("chatterbox", "AUDIO", raw) == "WORKER_ERROR"


def test_an_error_in_the_midst_of_a_stream_is_a_failure() -> None:
    stream = recorded.sse(
        {"choices": [{"delta": {"content": "Beca"}}]}, {"error": {"message": "engine died"}}
    )
    assert failed("vllm", "TEXT", [stream]) == "WORKER_ERROR"


@pytest.mark.parametrize(
    ("adapter", "output_type", "raw", "code"),
    [
        ("sdxl", "IMAGE", {"images": [], "seed": 1}, "OUTPUT_UNREADABLE"),
        ("sdxl", "IMAGE", {"images": ["not*base64" * 20]}, "OUTPUT_UNREADABLE"),
        ("generic", "IMAGE", {"status": "success_no_images", "images": []}, "OUTPUT_UNREADABLE"),
        ("chatterbox", "AUDIO", {"sample_rate": 1}, "OUTPUT_UNREADABLE"),
        ("faster_whisper", "JSON", {"segments": []}, "OUTPUT_UNREADABLE"),
        ("vllm", "TEXT", ["nothing to parse"], "OUTPUT_UNREADABLE"),
        ("vllm", "TEXT", [{"choices": [{"message": {"content": None}}]}], "NO_OUTPUT"),
        ("generic", "TEXT", {"number": 7}, "OUTPUT_WRONG_TYPE"),
    ],
)
def test_an_output_without_what_was_promised_is_a_failure(
    adapter: str, output_type: str, raw: Any, code: str
) -> None:
    assert failed(adapter, output_type, raw) == code


def test_absurd_outputs_are_refused_and_not_followed_to_their_end() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = {"data": [deep]}
    assert failed("generic", "JSON", deep) == "OUTPUT_UNREADABLE"
    many = {"images": [f"https://example.com/{n}.png" for n in range(17)]}
    assert failed("generic", "IMAGE", many) == "OUTPUT_UNREADABLE"


@pytest.mark.parametrize("raw", ["plain", ["pla", "in"], {"text": "plain"}, [{"content": "plain"}]])
def test_the_generic_adapter_finds_text(raw: Any) -> None:
    assert succeeded("generic", "TEXT", raw).text == "plain"


def test_the_generic_adapter_keeps_json_and_takes_media_out_of_it() -> None:
    uri = recorded.data_uri(recorded.png())
    reading = succeeded("generic", "JSON", {"boxes": [1, 2], "preview": uri})
    assert reading.media == (Medium(uri),)
    assert reading.raw == {"boxes": [1, 2], "preview": Reference(0)}


def test_results_keep_no_machine_names_tracebacks_or_provider_ids() -> None:
    internals = {
        "workerId": "z3jr9rv2k3tt2y",
        "hostname": "abc123",
        "runpod_version": "1.7.9",
        "error_traceback": "File /handler.py",
        "errors": ["node 6 at /workspace"],
        "refresh_worker": True,
    }
    raw = {"score": 1, **internals, "nested": [internals]}
    assert succeeded("generic", "JSON", raw).raw == {"score": 1, "nested": [{}]}


def test_what_no_database_can_hold_is_replaced() -> None:
    raw = {"a": "x\x00y\ud800", "b": [float("nan"), float("inf"), 1.5], "c\x00": True}
    assert succeeded("generic", "JSON", raw).raw == {
        "a": "x\ufffdy\ufffd",
        "b": [None, None, 1.5],
        "c\ufffd": True,
    }
    chat = [{"choices": [{"text": "a\x00b"}]}]
    assert succeeded("vllm", "TEXT", chat).text == "a\ufffdb"


def test_values_of_hidden_fields_that_workers_repeat_are_left_out() -> None:
    sound = succeeded("chatterbox", "AUDIO", recorded.CHATTERBOX_YL, withheld={"voice"})
    assert sound.raw is not None
    assert "voice" not in sound.raw
    picture = succeeded("sdxl", "IMAGE", recorded.SDXL, withheld=["seed"])
    assert picture.seed is None
    assert picture.raw is not None
    assert "seed" not in picture.raw
    other = succeeded("generic", "JSON", {"style": "secret", "ok": 1}, withheld=["style"])
    assert other.raw == {"ok": 1}


def test_a_hidden_format_field_does_not_take_the_transcript_of_the_same_name_away() -> None:
    reading = succeeded(
        "faster_whisper", "JSON", recorded.WHISPER, withheld=["transcription", "model"]
    )
    assert reading.raw is not None
    assert reading.raw["transcription"] == " Four score"
    assert "model" not in reading.raw


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (recorded.RAISED, "OUT_OF_MEMORY"),
        (recorded.VLLM_ERROR, "INPUTS_REJECTED"),
        ("job timed out after 1 retries", "WORKER_LOST"),
        ("executionTimeout exceeded", "TIME_LIMIT"),
        (["Schema error, missing default value for prompt."], "INPUTS_REJECTED"),
        ("Must provide either audio or audio_base64", "INPUTS_REJECTED"),
        ({"message": "anything"}, "WORKER_ERROR"),
        (None, "WORKER_ERROR"),
    ],
)
def test_worker_errors_become_neutral_words_and_keep_the_raw_text_apart_p8(
    error: Any, code: str
) -> None:
    failure = failure_of(error)
    assert failure.code == code
    assert failure.message == MESSAGES[code]
    if error:
        assert failure.raw
    for internal in ("RunPod", "CUDA", "vLLM", "worker", "Traceback"):
        assert internal not in failure.message


def sign(name: str) -> tuple[str, str]:
    return f"https://signed/{name}", "2026-01-01T00:00:00.000Z"


def stored(output_type: str, **more: Any) -> dict[str, Any]:
    entry = {"type": output_type, "mime": "m/x", "object": "e/0", "bytes": 3, "sha256": "ab"}
    media = [entry] if output_type in {"IMAGE", "AUDIO", "VIDEO", "FILE"} else []
    return {"type": output_type, "outputs": media, "raw": {}, "text": None, "seed": None, **more}


@pytest.mark.parametrize(
    ("output_type", "keys"),
    [
        ("IMAGE", ["image_url", "imageUrl", "url"]),
        ("AUDIO", ["audio_url", "audioUrl"]),
        ("VIDEO", ["video_url", "videoUrl"]),
        ("FILE", ["file_url", "url"]),
    ],
)
def test_media_are_shown_under_every_name_that_clients_read(
    output_type: str, keys: list[str]
) -> None:
    shown = present_output(stored(output_type, seed=5), sign)
    assert {key: shown[key] for key in keys} == dict.fromkeys(keys, "https://signed/e/0")
    assert shown["seed"] == 5
    assert shown["outputs"] == [
        {
            "type": output_type,
            "mime": "m/x",
            "bytes": 3,
            "sha256": "ab",
            "url": "https://signed/e/0",
            "expiresAt": "2026-01-01T00:00:00.000Z",
        }
    ]


def test_text_is_shown_under_every_name_that_clients_read() -> None:
    shown = present_output(stored("TEXT", text="hello", raw={"usage": {"total": 1}}), sign)
    assert shown == {
        "usage": {"total": 1},
        "text": "hello",
        "result": "hello",
        "content": "hello",
        "outputs": [],
    }


def test_the_workers_keys_stay_with_links_in_place_of_media() -> None:
    raw = {
        "images": [{"$output": 0}],
        "audio_base64": {"$output": 0},
        "seed": 1,
        "odd": {"$output": 9},
    }
    shown = present_output(stored("IMAGE", raw=raw), sign)
    assert shown["images"] == ["https://signed/e/0"]
    assert "audio_base64" not in shown
    assert shown["odd"] == {"$output": 9}


def test_showing_changes_nothing_that_is_stored() -> None:
    kept = stored("IMAGE", raw={"images": [{"$output": 0}]})
    before = copy.deepcopy(kept)
    present_output(kept, sign)
    assert kept == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
worker_words = st.sampled_from(
    ["images", "error", "choices", "tokens", "message", "text", "usage", "status", "results"]
)
worker_like = st.recursive(
    json_values,
    lambda inner: st.dictionaries(worker_words, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    adapter=st.sampled_from(["sdxl", "faster_whisper", "vllm", "chatterbox", "generic", "other"]),
    output_type=st.sampled_from(["IMAGE", "AUDIO", "TEXT", "JSON", "FILE", "VIDEO"]),
    raw=worker_like,
)
def test_no_output_whatever_makes_reading_fall_over(
    adapter: str, output_type: str, raw: Any
) -> None:
    before = repr(raw)
    reading = read_output(adapter, output_type, raw)
    assert repr(raw) == before
    assert (reading.failure is None) is (reading.raw is not None)
    if reading.failure is None and not reading.media:
        json.dumps(reading.raw, allow_nan=False).encode()
