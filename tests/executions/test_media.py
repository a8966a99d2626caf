"""A result's media are checked and kept in our own storage, over the real protocol."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from common.executions.media import (
    MAX_MEDIUM_BYTES,
    MAX_RAW_BYTES,
    OutputRefused,
    StoredOutput,
    store_media,
)
from common.executions.outputs import Reading, present_output, read_output
from common.executions.worker_json import Medium
from common.gateways.outbound import NoAnswer, Outbound
from common.gateways.storage import Storage
from common.settings import Settings
from infra.local.storage.running import running_storage
from tests.executions import recorded
from tests.gateways.origin import Origin, running_origin

PNG, WAV = recorded.png(), recorded.wav()


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    with running_storage(buckets=["results"]) as service:
        yield Storage(
            Settings(
                output_bucket="results",
                storage_emulator_host=service.url,
                storage_signer_key_file=str(service.service_account),
            )
        )


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin() as running:
        yield running


def keep(
    storage: Storage, reading: Reading, *, prefix: str, outbound: Outbound | None = None
) -> StoredOutput:
    return store_media(reading, storage=storage, outbound=outbound or Outbound(), prefix=prefix)


def refused(storage: Storage, reading: Reading, outbound: Outbound | None = None) -> str:
    """The code of the refusal; nothing may have been stored."""
    with pytest.raises(OutputRefused) as refusal:
        keep(storage, reading, prefix="refused", outbound=outbound)
    assert not storage.exists(f"refused/0-{hashlib.sha256(PNG).hexdigest()[:16]}.png")
    return refusal.value.code


def picture(source: str, output_type: str = "IMAGE") -> Reading:
    return Reading(None, output_type, (Medium(source),), {}, None, None)


@pytest.mark.parametrize(
    ("adapter", "output_type", "raw"),
    [
        ("sdxl", "IMAGE", recorded.SDXL),
        ("sdxl", "IMAGE", recorded.SDXL_TURBO),
        ("generic", "IMAGE", recorded.COMFYUI),
        ("chatterbox", "AUDIO", recorded.CHATTERBOX_YL),
        ("chatterbox", "AUDIO", recorded.CHATTERBOX_RICARDO),
        ("chatterbox", "AUDIO", recorded.CHATTERBOX_SRUCKH),
        ("chatterbox", "AUDIO", recorded.CHATTERBOX_GERONIMI),
    ],
)
def test_inline_media_are_kept_under_names_that_follow_from_their_content(
    storage: Storage, adapter: str, output_type: str, raw: Any
) -> None:
    mime, extension, content = {
        "IMAGE": ("image/png", "png", PNG),
        "AUDIO": ("audio/wav", "wav", WAV),
    }[output_type]
    stored = keep(storage, read_output(adapter, output_type, raw), prefix="executions/e/1")
    digest = hashlib.sha256(content).hexdigest()
    assert stored["outputs"] == [
        {
            "type": output_type,
            "mime": mime,
            "object": f"executions/e/1/0-{digest[:16]}.{extension}",
            "bytes": len(content),
            "sha256": digest,
        }
    ]
    assert len(json.dumps(stored)) < 2_000, "no base64 is left"


def test_what_is_kept_is_shown_through_links_that_work(storage: Storage) -> None:
    stored = keep(storage, read_output("sdxl", "IMAGE", recorded.SDXL_TWO), prefix="executions/e/2")
    shown = present_output(stored, lambda name: (storage.signed_url(name, ttl_s=60), "soon"))
    assert shown["images"] == [entry["url"] for entry in shown["outputs"]]
    assert shown["image_url"] == shown["images"][0]
    contents = [requests.get(url, timeout=5).content for url in shown["images"]]
    assert contents == [recorded.png(1), recorded.png(2)]


def test_storing_a_result_twice_gives_the_same_record_p6(storage: Storage) -> None:
    reading = read_output("sdxl", "IMAGE", recorded.SDXL)
    assert keep(storage, reading, prefix="e/3") == keep(storage, reading, prefix="e/3")


def test_media_behind_links_are_copied_before_the_link_expires_p14(
    storage: Storage, origin: Origin
) -> None:
    origin.always(WAV, Content_Type="text/html")
    raw = {"audio_url": f"{origin.url}/a?X-Amz-Signature=hush"}
    stored = keep(
        storage,
        read_output("chatterbox", "AUDIO", raw),
        prefix="e/4",
        outbound=Outbound([origin.url]),
    )
    assert stored["outputs"][0]["mime"] == "audio/wav", "only the content is believed"
    assert "hush" not in json.dumps(stored)


@pytest.mark.parametrize("status", [403, 404, 302])
def test_a_link_that_refuses_fails_the_run_f15(
    storage: Storage, origin: Origin, status: int
) -> None:
    origin.always(PNG, status=status)
    reading = picture(f"{origin.url}/a.png")
    assert refused(storage, reading, Outbound([origin.url])) == "OUTPUT_UNREACHABLE"


def test_a_link_into_our_own_network_fails_the_run(storage: Storage, origin: Origin) -> None:
    for url in (f"{origin.url}/a.png", "http://169.254.169.254/computeMetadata/v1/"):
        assert refused(storage, picture(url)) == "OUTPUT_UNREACHABLE"
    assert origin.seen == []


def test_a_link_that_does_not_answer_decides_nothing_yet(storage: Storage, origin: Origin) -> None:
    origin.always(b"", status=503)
    with pytest.raises(Exception, match="503") as failed:
        keep(storage, picture(origin.url), prefix="e/5", outbound=Outbound([origin.url]))
    assert not isinstance(failed.value, OutputRefused)
    silent = "http://127.0.0.1:1"
    with pytest.raises(NoAnswer):
        keep(storage, picture(silent), prefix="e/5", outbound=Outbound([silent]))


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("data:image/png;base64,iVBORw0KGgo*!", "OUTPUT_UNREADABLE"),
        ("data:image/png;base64,iVBORw0KGgo=A", "OUTPUT_UNREADABLE"),
        ("data:image/png,plain", "OUTPUT_UNREADABLE"),
        ("data:image/png;base64,", "OUTPUT_UNREADABLE"),
        (recorded.data_uri(b"<!doctype html><title>Sign in</title>"), "OUTPUT_WRONG_TYPE"),
        (recorded.data_uri(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "OUTPUT_WRONG_TYPE"),
        (recorded.data_uri(WAV), "OUTPUT_WRONG_TYPE"),
    ],
)
def test_media_that_fail_their_check_fail_the_run_f15(
    storage: Storage, source: str, code: str
) -> None:
    assert refused(storage, picture(source)) == code


def test_one_bad_medium_keeps_all_from_being_stored(storage: Storage) -> None:
    sources = [recorded.data_uri(PNG), recorded.data_uri(b"<html>")]
    reading = Reading(None, "IMAGE", tuple(Medium(source) for source in sources), {})
    assert refused(storage, reading) == "OUTPUT_WRONG_TYPE"


def test_media_above_the_limit_are_refused(storage: Storage, origin: Origin) -> None:
    origin.always(PNG, Content_Length=str(MAX_MEDIUM_BYTES + 1))
    reading = picture(f"{origin.url}/a.png")
    assert refused(storage, reading, Outbound([origin.url])) == "OUTPUT_TOO_LARGE"
    large = recorded.base64_of(PNG + bytes(MAX_MEDIUM_BYTES))
    assert refused(storage, picture(large)) == "OUTPUT_TOO_LARGE"


def test_data_too_large_for_a_database_row_are_refused(storage: Storage) -> None:
    reading = Reading(None, "JSON", (), {"numbers": "1" * MAX_RAW_BYTES})
    assert refused(storage, reading) == "OUTPUT_TOO_LARGE"


def test_base64_without_padding_or_with_line_breaks_is_read(storage: Storage) -> None:
    text = recorded.base64_of(PNG).rstrip("=")
    broken = "\r\n".join(text[i : i + 20] for i in range(0, len(text), 20))
    stored = keep(storage, picture(f"data:image/png;base64,{broken}"), prefix="e/6")
    assert stored["outputs"][0]["sha256"] == hashlib.sha256(PNG).hexdigest()


def test_a_file_of_unknown_kind_is_kept_as_bytes_that_no_browser_runs(storage: Storage) -> None:
    reading = picture(recorded.data_uri(b"<script>alert(1)</script>", "text/html"), "FILE")
    (entry,) = keep(storage, reading, prefix="e/7")["outputs"]
    assert (entry["type"], entry["mime"]) == ("FILE", "application/octet-stream")
    assert entry["object"].endswith(".bin")


def test_a_transcript_and_an_answer_need_no_media(storage: Storage) -> None:
    transcript = keep(
        storage, read_output("faster_whisper", "JSON", recorded.WHISPER), prefix="e/8"
    )
    assert transcript["outputs"] == []
    assert present_output(transcript, lambda name: (name, ""))["text"] == " Four score"
    answer = keep(storage, read_output("vllm", "TEXT", recorded.VLLM_NEW_CHAT), prefix="e/9")
    assert present_output(answer, lambda name: (name, ""))["result"] == "Because of scattering."
