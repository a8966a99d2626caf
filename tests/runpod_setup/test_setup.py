"""`infra/runpod-setup`: what it asks of RunPod, held against RunPod's own document."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.gateways.runpod_endpoints import MEANT_WORKERS
from infra.runpod_setup.__main__ import main
from infra.runpod_setup.wanted import CATALOGUE
from tests.runpod_setup.management import KEY, Management, serving

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "ab" * 32
KEYS = ("sdxl", "whisper", "vllm", "tts")
IMAGES = [part for key in KEYS for part in ("--image", f"{key}=example/{key}@{DIGEST}")]
AS_WANTED, FAILED, DIFFERENT = 0, 1, 3


@pytest.fixture
def account() -> Management:
    return Management()


@pytest.fixture
def environment(account: Management) -> Iterator[dict[str, str]]:
    with serving(account) as url:
        yield {"RUNPOD_MANAGEMENT_URL": url, "RUNPOD_MANAGEMENT_KEY": KEY}
    assert account.wrong == [], "a request that RunPod's document does not allow"


def settings_in(printed: str) -> dict[str, str]:
    return dict(
        line.split("=", 1) for line in printed.splitlines() if line.startswith("RUNPOD_EP_")
    )


def test_nothing_changes_before_it_is_applied(
    account: Management, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(IMAGES, environment) == DIFFERENT
    assert account.changes == []
    assert "sdxl: would make tarsify-sdxl" in capsys.readouterr().out


def test_every_endpoint_of_the_catalogue_is_made_and_its_id_printed(
    account: Management, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*IMAGES, "--apply"], environment) == AS_WANTED
    made = settings_in(capsys.readouterr().out)
    assert set(made) == {
        entry["env"] for entry in yaml.safe_load(CATALOGUE.read_text())["endpoints"].values()
    }
    assert set(made.values()) == set(account.endpoints)
    whisper = account.endpoints[made["RUNPOD_EP_WHISPER"]]
    assert whisper["image"] == f"example/whisper@{DIGEST}"
    assert whisper["gpu"]["pools"] == ["AMPERE_24"]
    assert whisper["timeout"] == 900_000
    assert whisper["workers"] == {"min": 0, "max": 3, "idleTimeout": 10}


def test_done_again_it_changes_nothing_with_and_without_the_ids(
    account: Management, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*IMAGES, "--apply"], environment)
    made, before = settings_in(capsys.readouterr().out), len(account.changes)
    for ids in ({}, made):
        assert main(IMAGES, environment | ids) == AS_WANTED
        assert main([*IMAGES, "--apply"], environment | ids) == AS_WANTED
        assert settings_in(capsys.readouterr().out) == made
    assert len(account.changes) == before


@pytest.mark.parametrize(
    ("drift", "field", "wanted"),
    [
        ({"workers": {"min": 0, "max": 0, "idleTimeout": 10}}, "workers.max", 3),
        ({"workers": {"min": 0, "max": 3, "idleTimeout": 5}}, "workers.idleTimeout", 10),
        ({"timeout": 0}, "timeout", 300_000),
        ({"image": "example/sdxl:latest"}, "image", f"example/sdxl@{DIGEST}"),
        ({"disk": 5}, "disk", 40),
        ({"flashboot": "OFF"}, "flashboot", "FLASHBOOT"),
        ({"scaling": {"type": "REQUEST_COUNT", "requestCount": 1}}, "scaling.queueDelay", 4),
        ({"env": {"OWN": "x"}}, f"env.{MEANT_WORKERS}", "3"),
    ],
)
def test_what_drifted_is_set_again_and_nothing_else_is_sent(
    account: Management,
    environment: dict[str, str],
    *,
    drift: dict[str, Any],
    field: str,
    wanted: object,
) -> None:
    arguments = ["--only", "sdxl", *IMAGES]
    main([*arguments, "--apply"], environment)
    (endpoint,) = account.endpoints.values()
    endpoint.update(drift)
    del account.asked[:]
    assert main(arguments, environment) == DIFFERENT
    assert account.changes == []
    assert main([*arguments, "--apply"], environment) == AS_WANTED
    ((_, _, sent),) = account.changes
    assert set(sent) == {field.partition(".")[0]}
    value: Any = endpoint
    for name in field.split("."):
        value = value[name]
    assert value == wanted
    assert main(arguments, environment) == AS_WANTED


def test_what_somebody_added_to_an_endpoint_stays_and_is_not_shown(
    account: Management, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--only", "vllm", *IMAGES, "--apply"]
    main(arguments, environment)
    (endpoint,) = account.endpoints.values()
    endpoint["env"] = {"HF_TOKEN": "hf_very_secret", "MODEL_NAME": "another/model"}
    main(arguments, environment)
    assert endpoint["env"]["HF_TOKEN"] == "hf_very_secret"
    assert endpoint["env"]["MODEL_NAME"] == "Qwen/Qwen2.5-7B-Instruct"
    printed = capsys.readouterr().out
    assert "MODEL_NAME" in printed
    assert "hf_very_secret" not in printed


def test_the_pools_of_an_endpoint_are_replaced_as_a_whole(
    account: Management, environment: dict[str, str]
) -> None:
    arguments = ["--only", "sdxl", *IMAGES, "--apply"]
    main(arguments, environment)
    (endpoint,) = account.endpoints.values()
    endpoint["gpu"]["pools"] = ["AMPERE_24"]
    assert main(arguments, environment) == AS_WANTED
    assert endpoint["gpu"]["pools"] == ["AMPERE_48"]


@pytest.mark.parametrize("image", ["example/sdxl", "example/sdxl:1.2", "example/sdxl@sha256:abcd"])
def test_an_image_without_a_digest_is_refused_before_anything_is_made(
    account: Management,
    environment: dict[str, str],
    image: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*IMAGES, "--image", f"sdxl={image}", "--apply"], environment) == FAILED
    assert account.asked == []
    assert "sdxl: " in (told := capsys.readouterr().err)
    assert "not pinned by a digest" in told


def test_an_endpoint_without_a_known_digest_asks_the_operator_for_it(
    account: Management, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], environment) == FAILED
    told = capsys.readouterr().err
    for key in KEYS:
        assert f"give --image {key}=REPOSITORY@sha256:..." in told


def test_a_pool_that_runpod_does_not_have_is_refused(
    account: Management,
    environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changed = tmp_path / "catalog.yaml"
    changed.write_text(CATALOGUE.read_text().replace("[AMPERE_48]", "[AMPERE_48, ADA_99]"))
    assert main([*IMAGES, "--apply", "--catalogue", str(changed)], environment) == FAILED
    assert "RunPod has no GPU pool ADA_99" in capsys.readouterr().err
    assert account.changes == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("  timeout_seconds: 900", "  timeout_seconds: 899", "less than a base model's 900"),
        ("min: 0, max: 3", "min: 4, max: 3", "workers.min is more than workers.max"),
        ("disk_gb: 40", "disk_gb: forty", "disk_gb"),
        ("disk_gb: 40", "disc_gb: 40", "disc_gb"),
    ],
)
def test_a_catalogue_that_cannot_be_meant_is_refused_in_words(
    environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    old: str,
    new: str,
    why: str,
) -> None:
    changed = tmp_path / "catalog.yaml"
    changed.write_text(CATALOGUE.read_text().replace(old, new))
    assert main([*IMAGES, "--catalogue", str(changed)], environment) == FAILED
    assert why in capsys.readouterr().err


def test_two_endpoints_of_one_name_need_an_id(
    account: Management, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--only", "sdxl", *IMAGES]
    main([*arguments, "--apply"], environment)
    (first,) = account.endpoints.values()
    account.endpoints["twin"] = {**first, "id": "twin"}
    assert main(arguments, environment) == FAILED
    assert "set RUNPOD_EP_SDXL" in capsys.readouterr().err
    assert main(arguments, environment | {"RUNPOD_EP_SDXL": "twin"}) == AS_WANTED


def test_an_id_of_another_account_is_refused(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(IMAGES, environment | {"RUNPOD_EP_SDXL": "elsewhere"}) == FAILED
    assert "RUNPOD_EP_SDXL names no endpoint" in capsys.readouterr().err


def test_after_a_create_without_an_answer_the_endpoint_is_found_and_not_made_twice(
    account: Management, environment: dict[str, str]
) -> None:
    account.ended_after_create = True
    assert main([*IMAGES, "--apply"], environment) == FAILED
    account.ended_after_create = False
    assert main([*IMAGES, "--apply"], environment) == AS_WANTED
    assert len(account.endpoints) == len(KEYS)


def test_runpods_refusal_is_told_in_its_own_words(
    account: Management, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    account.refuse = 403
    assert main([*IMAGES, "--apply"], environment) == FAILED
    assert "403: not now" in capsys.readouterr().err


@pytest.mark.parametrize(("key", "told"), [("", "set RUNPOD_MANAGEMENT_KEY"), ("wrong", "401")])
def test_without_the_right_key_it_stops_and_never_prints_one(
    environment: dict[str, str], key: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(IMAGES, environment | {"RUNPOD_MANAGEMENT_KEY": key}) == FAILED
    captured = capsys.readouterr()
    assert told in captured.err
    assert KEY not in captured.out + captured.err


def test_costs_are_reckoned_by_the_pool_that_runs() -> None:
    catalogue = yaml.safe_load(CATALOGUE.read_text())
    for model in catalogue["base_models"]:
        pools = catalogue["endpoints"][model["endpoint"]]["runpod"]["gpu_pools"]
        assert pools == [model["gpu_class"]]


def test_it_is_a_command(account: Management, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [str(ROOT / "infra" / "runpod-setup"), *IMAGES],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == DIFFERENT, done.stderr
    assert "vllm: would make tarsify-vllm" in done.stdout
