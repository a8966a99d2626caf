"""infra/catalog.yaml is what a fresh platform offers: each entry must be usable as it stands."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from common.catalog.inputs import ConfigOverrides, build_payload, check_input_schema, visible_schema
from common.errors import InvalidInputs

CATALOG = yaml.safe_load(
    (Path(__file__).parents[2] / "infra" / "catalog.yaml").read_text(encoding="utf-8")
)
MODELS: dict[str, dict[str, Any]] = {entry["slug"]: entry for entry in CATALOG["base_models"]}

LEAST: dict[str, dict[str, Any]] = {
    "sdxl-text-to-image": {"prompt": "a lighthouse"},
    "sdxl-image-to-image": {"prompt": "at night", "image_url": "https://example.com/a.png"},
    "whisper-transcribe": {"audio": "https://example.com/a.mp3"},
    "vllm-chat": {"prompt": "Why is the sky blue?"},
    "chatterbox-tts": {"text": "Good morning."},
}


def test_the_seed_offers_the_five_models_of_the_story() -> None:
    assert set(MODELS) == set(LEAST)


@pytest.mark.parametrize("slug", MODELS)
def test_each_seeded_schema_is_acceptable_and_described(slug: str) -> None:
    schema = MODELS[slug]["input_schema"]
    check_input_schema(schema)
    assert all(
        field.get("title") and field["description"] for field in schema["properties"].values()
    )


@pytest.mark.parametrize("slug", MODELS)
def test_each_seeded_entry_has_usable_settings(slug: str) -> None:
    entry = MODELS[slug]
    assert entry["endpoint"] in CATALOG["endpoints"]
    assert entry["category"] in {"IMAGE", "AUDIO", "TEXT", "VIDEO", "DOCUMENT"}
    assert entry["output_type"] in {"IMAGE", "AUDIO", "TEXT", "FILE", "JSON", "VIDEO"}
    assert 1 <= entry["estimated_seconds"] <= entry["execution_timeout_seconds"] <= 3600
    assert 1 <= entry["min_price_credits"] <= 10_000


@pytest.mark.parametrize("slug", MODELS)
def test_the_fields_a_form_requires_are_enough_for_a_run(slug: str) -> None:
    schema = MODELS[slug]["input_schema"]
    assert set(visible_schema(schema, None)["required"]) == set(LEAST[slug])
    payload = build_payload(schema, ConfigOverrides(), LEAST[slug])
    assert payload.keys() >= LEAST[slug].keys()


def test_endpoints_are_named_by_setting_and_never_by_id() -> None:
    for endpoint in CATALOG["endpoints"].values():
        assert endpoint["env"].startswith("RUNPOD_EP_")
        assert "runpod_endpoint_id" not in endpoint


@pytest.mark.parametrize(
    ("slug", "inputs", "field"),
    [
        ("sdxl-text-to-image", {"prompt": "x", "seed": -1}, "seed"),
        ("sdxl-text-to-image", {"prompt": "x", "num_images": 3}, "num_images"),
        ("sdxl-text-to-image", {"prompt": "x", "image_url": "https://example.com/"}, "image_url"),
        ("sdxl-image-to-image", {"prompt": "x", "image_url": "/etc/passwd"}, "image_url"),
        ("whisper-transcribe", {"audio": "file:///etc/passwd"}, "audio"),
        ("whisper-transcribe", {"audio": "https://example.com/a", "language": "auto"}, "language"),
        (
            "vllm-chat",
            {"prompt": "x", "sampling_params": {"best_of": 9}},
            "sampling_params.max_tokens",
        ),
        ("chatterbox-tts", {"text": "x" * 4001}, "text"),
    ],
)
def test_what_a_worker_would_misread_is_refused_by_name(
    slug: str, inputs: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInputs) as refused:
        build_payload(MODELS[slug]["input_schema"], ConfigOverrides(), inputs)
    assert field in [error["field"] for error in refused.value.details["errors"]]
