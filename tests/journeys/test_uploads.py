"""A consumer's own file becomes an input, and addresses that lead inside lead nowhere."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from common.gateways.outbound import Outbound
from tests.world import Caller, World

AUDIO_SCHEMA = {
    "type": "object",
    "required": ["audio"],
    "properties": {
        "audio": {"type": "string", "format": "uri", "title": "Audio"},
        "more": {"type": "array", "items": {"type": "string", "format": "uri"}, "title": "More"},
    },
}
UPLOADS = "/api/marketplace/uploads"
SEED = Path(__file__).parents[2] / "infra" / "catalog.yaml"
CATALOGUE = yaml.safe_load(SEED.read_text(encoding="utf-8"))["base_models"]


def uploaded(owner: Caller, content: bytes = b"RIFFsound") -> dict[str, Any]:
    """An upload whose file has come."""
    made: dict[str, Any] = owner.ok(
        "POST", UPLOADS, {"contentType": "audio/wav", "bytes": len(content)}
    )
    answer = requests.put(made["uploadUrl"], content, headers=made["headers"], timeout=10)
    assert answer.ok, answer.text
    return made


def test_the_worker_reads_what_the_consumer_uploaded(world: World) -> None:
    model, owner = world.model(schema=AUDIO_SCHEMA), world.consumer(credits_=100)
    upload = uploaded(owner)
    run = world.run(owner, model, audio=upload["uri"], more=[upload["uri"]])
    (job,) = world.jobs(model)
    assert requests.get(job["input"]["audio"], timeout=10).content == b"RIFFsound"
    assert requests.get(job["input"]["more"][0], timeout=10).content == b"RIFFsound"
    shown = world.ended(owner, run)
    assert shown["inputPayload"]["audio"] == upload["uri"]
    assert job["input"]["audio"] not in str(shown)


def test_an_address_is_looked_at_and_an_upload_resolved_wherever_it_stands(world: World) -> None:
    link = {"anyOf": [{"$ref": "#/$defs/link"}, {"type": "null"}]}
    schema = {
        "type": "object",
        "$defs": {"link": {"type": "string", "format": "uri"}},
        "properties": {
            "audio": link,
            "parts": {"type": "array", "items": {"type": "object", "properties": {"url": link}}},
        },
    }
    model, owner = world.model(schema=schema), world.consumer(credits_=100)
    upload, inside = uploaded(owner), "https://169.254.169.254/latest/meta-data"
    path = f"/api/marketplace/models/{model.slug}/run"
    wrong: list[tuple[Any, str]] = [
        ({"audio": inside}, "audio"),
        ({"parts": [{"url": inside}]}, "parts.0.url"),
    ]
    for inputs, field in wrong:
        refused = owner.refused(422, "POST", path, {"inputs": inputs})
        assert [each["field"] for each in refused["details"]["errors"]] == [field]
    assert world.jobs(model) == []
    owner.ok("POST", path, {"inputs": {"audio": None, "parts": [{}, {"url": upload["uri"]}]}})
    (job,) = world.jobs(model)
    assert requests.get(job["input"]["parts"][1]["url"], timeout=10).content == b"RIFFsound"


def test_a_developers_test_run_leads_no_worker_to_an_inside_address(world: World) -> None:
    locked = {"lockedInputs": {"audio": "https://10.0.0.1/secret"}}
    model = world.model(schema=AUDIO_SCHEMA, overrides=locked)
    path = f"/api/studio/tars-models/{model.id}/test-run"
    wrong: list[dict[str, Any]] = [{}, {"more": ["https://127.0.0.1/"]}]
    for inputs in wrong:
        refused = model.developer.refused(422, "POST", path, {"inputs": inputs})
        assert refused["code"] == "INVALID_INPUTS"
    assert world.jobs(model) == []


@pytest.mark.parametrize("entry", ["sdxl-image-to-image", "whisper-transcribe"])
def test_an_upload_can_be_used_in_every_address_of_our_catalogue(world: World, entry: str) -> None:
    (schema,) = (each["input_schema"] for each in CATALOGUE if each["slug"] == entry)
    model, owner = world.model(schema=schema), world.consumer(credits_=100)
    (name,) = (n for n, own in schema["properties"].items() if own.get("format") == "uri")
    given = {"prompt": "a lighthouse"} if "prompt" in schema["required"] else {}
    world.run(owner, model, **given, **{name: uploaded(owner)["uri"]})
    (job,) = world.jobs(model)
    assert requests.get(job["input"][name], timeout=10).content == b"RIFFsound"


@pytest.mark.parametrize("what", ["another type", "a byte more", "nothing signed"])
def test_the_bucket_takes_only_what_was_allowed(world: World, what: str) -> None:
    owner = world.consumer()
    made = owner.ok("POST", UPLOADS, {"contentType": "audio/wav", "bytes": 9})
    headers, content, url = dict(made["headers"]), b"RIFFsound", made["uploadUrl"]
    if what == "another type":
        headers["Content-Type"] = "text/html"
    elif what == "a byte more":
        content += b"!"
    else:
        url = url.partition("?")[0]
    assert requests.put(url, content, headers=headers, timeout=10).status_code in {400, 401, 403}


@pytest.mark.parametrize("what", ["another's", "not there", "not come yet", "expired", "no id"])
def test_an_upload_that_cannot_be_used_is_refused_by_its_field(world: World, what: str) -> None:
    model, owner = world.model(schema=AUDIO_SCHEMA), world.consumer(credits_=100)
    uri = uploaded(world.consumer() if what == "another's" else owner)["uri"]
    if what == "not there":
        uri = uri[:-12] + "0" * 12
    elif what == "no id":
        uri = "tarsify://uploads/.."
    elif what == "not come yet":
        uri = owner.ok("POST", UPLOADS, {"contentType": "audio/wav", "bytes": 9})["uri"]
    elif what == "expired":
        world.clock.shift += timedelta(hours=25)
    refused = owner.refused(
        422, "POST", f"/api/marketplace/models/{model.slug}/run", {"inputs": {"audio": uri}}
    )
    assert [each["field"] for each in refused["details"]["errors"]] == ["audio"]
    assert world.balance(owner) == 100


def test_nobody_keeps_more_than_five_gigabytes_waiting(world: World) -> None:
    owner, most = world.consumer(), 200 * 1024 * 1024
    order = {"contentType": "video/mp4", "bytes": most}
    for _ in range(25):
        owner.ok("POST", UPLOADS, order)
    assert owner.refused(409, "POST", UPLOADS, order)["code"] == "TOO_MANY_UPLOADS"
    world.clock.shift += timedelta(hours=25)
    owner.ok("POST", UPLOADS, order)


INSIDE = {
    "metadata.example": ["169.254.169.254"],
    "private.example": ["10.1.2.3"],
    "loopback.example": ["127.0.0.1"],
    "mapped.example": ["::ffff:169.254.169.254"],
    "half.example": ["93.184.216.34", "10.0.0.1"],
    "six.example": ["fd00::1"],
    "2130706433": ["127.0.0.1"],
    "169.254.169.254": ["169.254.169.254"],
    "public.example": ["93.184.216.34"],
}


def resolve(host: str, _port: int) -> list[str]:
    if host not in INSIDE:
        raise OSError("no such host")
    return INSIDE[host]


@pytest.mark.parametrize(
    "url",
    [
        "https://metadata.example/computeMetadata/v1/",
        "https://private.example/a.wav",
        "https://loopback.example/a.wav",
        "https://mapped.example/a.wav",
        "https://half.example/a.wav",
        "https://six.example/a.wav",
        "https://2130706433/a.wav",
        "https://169.254.169.254/a.wav",
        "https://nowhere.example/a.wav",
        "http://public.example/a.wav",
        "https://public.example:22/a.wav",
        "https://user:secret@public.example/a.wav",
        "gopher://public.example/a.wav",
        "file:///etc/passwd",
        "tarsify://other/1",
    ],
)
def test_an_address_that_leads_inside_never_reaches_a_worker(world: World, url: str) -> None:
    world.runtime.__dict__["outbound"] = Outbound(resolve=resolve)
    model, owner = world.model(schema=AUDIO_SCHEMA), world.consumer(credits_=100)
    path = f"/api/marketplace/models/{model.slug}/run"
    refused = owner.refused(422, "POST", path, {"inputs": {"audio": url}})
    assert [each["field"] for each in refused["details"]["errors"]] == ["audio"]
    both = {"audio": "https://public.example/a.wav", "more": [url]}
    owner.refused(422, "POST", path, {"inputs": both})
    assert world.jobs(model) == []
    assert world.balance(owner) == 100


def test_a_public_address_goes_to_the_worker_as_it_is(world: World) -> None:
    world.runtime.__dict__["outbound"] = Outbound(resolve=resolve)
    model, owner = world.model(schema=AUDIO_SCHEMA), world.consumer(credits_=100)
    world.ended(owner, world.run(owner, model, audio="https://public.example/a.wav"))
    assert world.jobs(model)[0]["input"]["audio"] == "https://public.example/a.wav"
