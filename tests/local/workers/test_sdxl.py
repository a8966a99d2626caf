"""worker-sdxl's shapes (runpod.md 5.1), with pictures that are really drawn."""

import base64
import json
from collections.abc import Callable

import pytest

from tests.local.workers.conftest import Ask
from tests.local.workers.media import open_data_uri


def test_a_picture_has_the_wanted_size_and_its_seed(ask: Ask) -> None:
    job = ask("sdxl", prompt="an old bridge", width=320, height=192, seed=7, num_images=2)
    assert job["status"] == "COMPLETED"
    output = job["output"]
    assert output.keys() == {"images", "image_url", "seed"}
    assert output["image_url"] == output["images"][0]
    assert output["seed"] == 7
    first, second = (open_data_uri(image) for image in output["images"])
    assert (first.width, first.height) == (320, 192)
    assert first.rows != second.rows
    assert len(set(first.rows)) > 100


def test_prompt_and_seed_decide_the_picture(ask: Ask) -> None:
    def picture(prompt: str, seed: int) -> bytes:
        job = ask("sdxl", prompt=prompt, seed=seed, width=64, height=64)
        return open_data_uri(job["output"]["image_url"]).rows

    bridge = picture("bridge", 1)
    assert picture("bridge", 1) == bridge
    assert picture("tower", 1) != bridge
    assert picture("bridge", 2) != bridge


def test_an_image_url_is_the_ground_of_the_picture(
    ask: Ask, serve: Callable[[bytes, str], str]
) -> None:
    source = ask("sdxl", prompt="source", seed=1, width=64, height=64)["output"]["image_url"]
    url = serve(base64.b64decode(source.partition(",")[2]), "source.png")
    job = ask("sdxl", prompt="other", seed=2, width=64, height=64, image_url=url, strength=0)
    assert open_data_uri(job["output"]["image_url"]).rows == open_data_uri(source).rows


@pytest.mark.parametrize(
    "given",
    [
        {"width": 64},
        {"prompt": 5},
        {"prompt": "x", "colour": "red"},
        {"prompt": "x", "width": 64.5},
    ],
)
def test_bad_inputs_are_a_list_and_so_the_job_completes_without_output(
    ask: Ask, given: dict[str, object]
) -> None:
    job = ask("sdxl", **given)
    assert job["status"] == "COMPLETED"
    assert job.keys().isdisjoint({"output", "error"})


def test_the_published_limit_of_images_is_not_enforced_by_the_worker(ask: Ask) -> None:
    job = ask("sdxl", prompt="x", width=64, height=64, num_images=3)
    assert len(job["output"]["images"]) == 3


def test_an_unknown_scheduler_fails_with_json_in_the_error(ask: Ask) -> None:
    job = ask("sdxl", prompt="x", width=64, height=64, scheduler="UNIPC")
    assert job["status"] == "FAILED"
    report = json.loads(job["error"])
    assert "KeyError" in report["error_type"]
    assert report["runpod_version"] == "1.12.0"


def test_a_size_that_is_no_multiple_of_eight_fails(ask: Ask) -> None:
    job = ask("sdxl", prompt="x", width=100, height=64)
    assert job["status"] == "FAILED"
    assert job["error"].startswith("Unexpected error: ")
