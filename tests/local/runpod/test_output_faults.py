"""Faults of the output: F15 and F19 of runpod.md 6.4."""

import base64
from typing import Any

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from tests.local.runpod.submitting import run, status

PIXELS = base64.b64encode(bytes(range(256))).decode()
OLD_VLLM = [{"choices": [{"tokens": ["so"]}], "usage": {"input": 1, "output": 1}}]


@pytest.fixture(autouse=True)
def instant(sim: SimulatorClient) -> None:
    sim.behave("ep", mode="instant", output={"images": [f"data:image/png;base64,{PIXELS}"]})


@pytest.mark.parametrize("variant", ["expired", "forbidden"])
def test_f15_links_to_media_that_are_refused(
    sim: SimulatorClient, api: httpx.Client, variant: str
) -> None:
    sim.behave("ep", mode="instant", output={"image_url": "https://bucket.example/a.png?sig=1"})
    sim.fault("ep", "F15", variant=variant)
    url = status(api, run(api))["output"]["image_url"]
    refusal = httpx.get(url)
    assert refusal.status_code == 403
    assert "AccessDenied" in refusal.text


def test_f15_breaks_base64(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F15", variant="broken_base64")
    image = status(api, run(api))["output"]["images"][0]
    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(image.removeprefix("data:image/png;base64,"), validate=True)


def test_f15_sends_a_page_instead_of_a_picture(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", output=[PIXELS, {"url": "https://bucket.example/a.png"}])
    sim.fault("ep", "F15", variant="wrong_mime")
    inline, linked = status(api, run(api))["output"]
    assert base64.b64decode(inline).startswith(b"<!doctype html>")
    page = httpx.get(linked["url"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html")


@pytest.mark.parametrize(
    "output",
    [
        OLD_VLLM,
        [{"choices": [{"message": {"content": "so"}}], "usage": {"prompt_tokens": 1}}],
        {"images": [f"data:image/png;base64,{PIXELS}"], "seed": 1},
        {"images": [{"image": PIXELS, "seed": 1}]},
        {"images": [{"filename": "a.png", "type": "base64", "data": PIXELS}]},
        {"audio_base64": PIXELS, "format": "wav"},
        {"segments": []},
    ],
)
def test_f19_alternates_between_two_output_shapes(
    sim: SimulatorClient, api: httpx.Client, output: Any
) -> None:
    sim.behave("ep", mode="instant", output=output)
    sim.fault("ep", "F19")
    shapes = [status(api, run(api))["output"] for _ in range(4)]
    assert shapes[0] == shapes[2] == output
    assert shapes[1] == shapes[3] != output


def test_f19_knows_both_generations_of_vllm(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", output=OLD_VLLM)
    sim.fault("ep", "F19")
    run(api)
    (new,) = status(api, run(api))["output"]
    assert new["choices"][0]["message"]["content"] == "so"
    assert new["usage"]["total_tokens"] == 2
