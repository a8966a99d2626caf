"""cloudbuild.yaml: every step is a script that is there, told what it needs, and in order."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.packing.contents import ROOT

BUILD: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
STEPS: dict[str, dict[str, Any]] = {step["id"]: step for step in BUILD["steps"]}
BUILT_IN = {"PROJECT_ID", "BUILD_ID", "SHORT_SHA"}
CHECKS = {"lint", "test", "audit", "pack", "parts", "plan", "policy"}
CHANGES = {"migrate", "apply"}


def script(name: str) -> Path:
    (path,) = STEPS[name]["args"]
    return ROOT / str(path)


def before(name: str) -> set[str]:
    """Every step that is over when this one begins."""
    direct = set(STEPS[name]["waitFor"]) - {"-"}
    return direct.union(*(before(each) for each in direct))


def told(name: str) -> set[str]:
    return {each.partition("=")[0] for each in STEPS[name].get("env", ())}


def needed(name: str) -> set[str]:
    """What the script, and those that it calls, refuse to run without."""
    text = script(name).read_text()
    called = [ROOT / path for path in re.findall(r"^infra/release/[a-z-]+", text, re.MULTILINE)]
    texts = [text, *(each.read_text() for each in called)]
    return {found for each in texts for found in re.findall(r'"\$\{([A-Z_]+):?\?\}"', each)}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_a_script_that_can_be_run_here_too(name: str) -> None:
    path = script(name)
    assert path.is_file()
    assert os.access(path, os.X_OK)
    shebang = path.read_text().splitlines()[0]
    assert shebang == {"bash": "#!/usr/bin/env bash", "sh": "#!/bin/sh"}[STEPS[name]["entrypoint"]]


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_told_what_its_script_needs_and_nothing_else(name: str) -> None:
    assert told(name) == needed(name)


def test_a_step_waits_only_for_steps_that_stand_before_it() -> None:
    seen: set[str] = set()
    for name, step in STEPS.items():
        assert set(step["waitFor"]) - {"-"} <= seen, name
        seen.add(name)


def test_step_names_are_not_given_twice() -> None:
    assert len(STEPS) == len(BUILD["steps"])


def test_everything_is_checked_before_anything_changes() -> None:
    for name in CHANGES:
        assert before(name) >= CHECKS


def test_the_schema_grows_before_the_code_and_the_smoke_comes_last() -> None:
    assert "migrate" in before("apply")
    assert "revisions" in before("migrate")
    for name in ("smoke", "smoke-internal"):
        assert "apply" in before(name)
    assert before("finish") == STEPS.keys() - {"finish"}


def test_a_failure_after_the_first_change_of_code_still_reaches_the_verdict() -> None:
    may_fail = {name for name, step in STEPS.items() if step.get("allowFailure")}
    assert may_fail == {"apply", "smoke", "smoke-internal"}
    for name in may_fail:
        assert f"touch dist/passed-{name}" in script(name).read_text()


def test_every_substitution_is_declared_and_every_declared_one_is_used() -> None:
    text = (ROOT / "cloudbuild.yaml").read_text()
    used = set(re.findall(r"\$\{?([A-Z_]+)\}?", text))
    declared = set(BUILD["substitutions"])
    assert used - BUILT_IN == declared
    assert all(name.startswith("_") for name in declared)


def test_no_installation_is_reached_by_default() -> None:
    for name in ("_ENVIRONMENT", "_REGION", "_STATE_BUCKET", "_PUBLIC_URL", "_MIGRATIONS_IMAGE"):
        assert BUILD["substitutions"][name] == ""


def test_images_are_pinned_to_one_exact_version_each() -> None:
    images = {step["name"] for step in STEPS.values()}
    dockerfile = (ROOT / "infra/release/migrations.Dockerfile").read_text()
    images |= set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
    for image in images:
        assert re.search(r":\d+\.\d+\.\d+(-[a-z]+)*$|@sha256:[0-9a-f]{64}$", image), image
    assert len({image.partition(":")[0] for image in images}) == 4


def test_the_build_runs_as_its_own_account_and_keeps_what_it_made() -> None:
    assert "${_DEPLOYER}@" in BUILD["serviceAccount"]
    assert BUILD["options"]["logging"] == "CLOUD_LOGGING_ONLY"
    assert BUILD["options"]["requestedVerifyOption"] == "VERIFIED"
    assert "dist/parts.cdx.json" in BUILD["artifacts"]["objects"]["paths"]


def test_the_tests_of_a_release_have_terraform_and_skip_nothing() -> None:
    assert "terraform" in before("test")
    assert STEPS["terraform"]["name"] == STEPS["plan"]["name"]
    assert script("terraform").read_text().count(".tools/terraform") == 2
    assert "$PWD/.tools" in (ROOT / "infra/environment.sh").read_text()
    checks = (ROOT / "terraform/modules/delivery/main.tf").read_text()
    assert f'"{STEPS["terraform"]["name"]}"' in checks
    assert '["infra/release/terraform"]' in checks


def test_lint_and_test_are_what_a_developer_runs() -> None:
    """infra/test, which continuous integration runs, is made of the same two scripts."""
    text = (ROOT / "infra/test").read_text()
    assert "infra/release/lint\n" in text
    assert 'infra/release/test "$@"' in text
