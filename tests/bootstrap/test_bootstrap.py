"""`infra/bootstrap` against a stand-in of gcloud: what it does, once, again, and cut short."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.bootstrapping.installation import secret_names
from tests.bootstrap.cloud import (
    ARGUMENTS,
    PROJECTS,
    ROOT,
    SECRETS,
    Cloud,
    Vendors,
    cloud_in,
    fingerprint,
    vendors,
)


@pytest.fixture
def outside() -> Iterator[Vendors]:
    with vendors() as started:
        yield started


@pytest.fixture
def cloud(tmp_path: Path, outside: Vendors) -> Iterator[Cloud]:
    with cloud_in(tmp_path, vendors=outside) as made:
        yield made


def test_everything_a_first_plan_needs_is_made(cloud: Cloud, outside: Vendors) -> None:
    outside.firebase.looks = 1  # as it really is: adding takes a while
    done = cloud.bootstrap()
    assert done.returncode == 0, done.stderr
    assert cloud.state["buckets"] == [
        {
            "name": "tarsify-staging-state",
            "project": "tarsify-staging",
            "uniform_bucket_level_access": True,
            "public_access_prevention": "enforced",
            "versioning_enabled": True,
        }
    ]
    assert cloud.state["secrets"] == {n: [fingerprint(v)] for n, v in SECRETS.items()}
    assert outside.firebase.added == list(PROJECTS[1:])
    for project in PROJECTS[1:]:
        assert "identitytoolkit.googleapis.com" in cloud.state["projects"][project]["services"]
    assert "https://staging.tarsify.example/api/webhooks/stripe/connect" in done.stdout
    assert "https://staging.tarsify.example/api/webhooks/runpod" in done.stdout


def test_a_second_run_changes_nothing_and_asks_nothing(cloud: Cloud, outside: Vendors) -> None:
    cloud.bootstrap()
    kept, files = cloud.kept(), cloud.file("terraform.tfvars").read_text()
    cloud.change(calls=[])
    done = cloud.bootstrap()
    assert done.returncode == 0, done.stderr
    assert "read from standard input" not in done.stdout
    assert (cloud.changes(), cloud.kept()) == ([], kept)
    assert cloud.file("terraform.tfvars").read_text() == files
    assert len(outside.firebase.added) == 2


def test_killed_after_any_change_it_is_run_again_and_ends_alike(
    tmp_path: Path, outside: Vendors
) -> None:
    whole = Cloud(tmp_path / "whole", outside.environment)
    assert whole.bootstrap().returncode == 0
    count = len(whole.changes())
    assert count > 12
    hurt = Cloud(tmp_path / "hurt", outside.environment)
    for _ in range(count):
        hurt.change(changes_left=0)
        assert hurt.bootstrap().returncode != 0
    hurt.change(changes_left=10**6)
    assert hurt.bootstrap().returncode == 0
    assert hurt.kept() == whole.kept()
    assert len(hurt.changes()) == count  # none was made twice
    for name in ("terraform.tfvars", "first-plan.tf"):
        assert hurt.file(name).read_text() == whole.file(name).read_text()


def test_no_secret_is_printed_or_stands_in_an_argument_or_a_file(
    cloud: Cloud, tmp_path: Path
) -> None:
    done = cloud.bootstrap()
    seen = done.stdout + done.stderr + json.dumps(cloud.state["calls"])
    files = "".join(p.read_text() for p in cloud.file(".").glob("*") if p.is_file())
    for value in SECRETS.values():
        assert value not in seen
        assert value not in files


def test_a_secret_typed_at_a_terminal_is_not_echoed(cloud: Cloud) -> None:
    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        [str(cloud.root / "infra" / "bootstrap"), *ARGUMENTS],
        env=cloud.environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown, waiting = "", list(SECRETS)
    while chunk := _read(reader):
        shown += chunk
        if waiting and shown.rstrip().endswith(f"{waiting[0]}:"):
            os.write(reader, f"{SECRETS[waiting.pop(0)]}\n".encode())
    assert process.wait(30) == 0, shown
    os.close(reader)
    assert waiting == []
    assert not [value for value in SECRETS.values() if value in shown]
    assert cloud.state["secrets"] == {n: [fingerprint(v)] for n, v in SECRETS.items()}


def _read(reader: int) -> str:
    """What the terminal shows next; nothing when its last user is gone."""
    select.select([reader], [], [], 60)
    try:
        return os.read(reader, 4096).decode()
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("runpod-api-key", "rpa_wrong", "unauthorized"),
        ("runpod-management-key", "rpa_wrong", "401"),
        ("stripe-secret-key", "sk_test_wrong", "Stripe answers 401"),
        ("stripe-secret-key", "sk_live_real_money", "all others a test key"),
        ("stripe-webhook-secrets", "sk_test_tarsify", "begins with whsec_"),
        ("stripe-webhook-secrets", "", "empty"),
    ],
)
def test_a_key_that_its_vendor_does_not_take_is_not_stored(
    cloud: Cloud, name: str, typed: str, told: str
) -> None:
    done = cloud.bootstrap(typed={name: typed})
    assert done.returncode == 1
    assert told in done.stderr
    assert not typed or typed not in done.stdout + done.stderr
    assert cloud.state["secrets"][name] == []
    assert cloud.bootstrap().returncode == 0
    assert cloud.state["secrets"][name] == [fingerprint(SECRETS[name])]


def test_a_secret_is_renewed_when_it_is_asked_for(cloud: Cloud) -> None:
    cloud.bootstrap()
    done = cloud.bootstrap(
        "--renew=stripe-webhook-secrets", typed={"stripe-webhook-secrets": "whsec_new"}
    )
    assert done.returncode == 0, done.stderr
    assert cloud.state["secrets"]["stripe-webhook-secrets"][-1] == fingerprint("whsec_new")
    assert len(cloud.state["secrets"]["runpod-api-key"]) == 1
    assert "stripe-webhook-secrets 2" in done.stdout


def test_a_dry_run_prints_every_command_and_runs_none(cloud: Cloud, outside: Vendors) -> None:
    dry = cloud.bootstrap("--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert cloud.state["calls"] == []
    assert not cloud.file("terraform.tfvars").exists()
    cloud.bootstrap()
    printed = _printed(dry.stdout)
    for call in cloud.changes():
        assert [word for word in call if word != "--quiet"] in [
            _fitted(each, call) for each in printed
        ]
    assert dry.stdout.count("addFirebase") == len(outside.firebase.added) == 2


def _printed(text: str) -> list[list[str]]:
    lines = re.findall(r"^\$ gcloud (.*?)(?:  # .*)?$", text, re.MULTILINE)
    return [[word.strip("'") for word in line.split()] for line in lines]


def _fitted(printed: list[str], call: list[str]) -> list[str]:
    """A dry run knows nothing of what is there: services that are on already are printed too."""
    return [word for word in printed if word in call or not word.endswith(".googleapis.com")]


def test_gcloud_itself_knows_every_command(cloud: Cloud, tmp_path: Path) -> None:
    real = shutil.which("gcloud")
    if real is None:
        pytest.skip("no gcloud here, so its own check of commands cannot be asked")
    commands = [
        {"command_string": "gcloud " + line}
        for line in re.findall(
            r"^\$ gcloud (.*?)(?:  # .*)?$", cloud.bootstrap("--dry-run").stdout, re.MULTILINE
        )
    ]
    (tmp_path / "commands.json").write_text(json.dumps(commands))
    done = subprocess.run(
        [real, "meta", "lint-gcloud-commands", f"--commands-file={tmp_path / 'commands.json'}"],
        env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path / "gcloud")},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    judged = json.loads(done.stdout)
    assert len(judged) == len({each["command_string"] for each in commands}) > 20
    assert [each["error_message"] for each in judged if not each["success"]] == []


def test_a_bucket_that_lost_its_protection_gets_it_back(cloud: Cloud) -> None:
    cloud.bootstrap()
    (bucket,) = cloud.state["buckets"]
    cloud.change(buckets=[bucket | {"public_access_prevention": "inherited"}], calls=[])
    assert cloud.bootstrap().returncode == 0
    assert [call[:3] for call in cloud.changes()] == [["storage", "buckets", "update"]]
    assert cloud.state["buckets"] == [bucket]


def test_a_bucket_of_somebody_elses_is_never_used(cloud: Cloud) -> None:
    theirs = {"name": "tarsify-staging-state", "project": "somebody-elses"}
    cloud.change(buckets=[theirs])
    cloud.bootstrap()
    assert ["storage", "buckets", "create"] in [call[:3] for call in cloud.changes()]
    assert cloud.state["buckets"][0] == theirs


@pytest.mark.parametrize(
    ("projects", "told"),
    [
        ({}, "is not there, or operator@example.com may not see it"),
        ({PROJECTS[0]: {"number": "1", "pays": "False"}}, "has no billing account"),
    ],
)
def test_a_project_that_cannot_be_used_is_said_in_words(
    cloud: Cloud, projects: dict[str, object], told: str
) -> None:
    cloud.change(projects=projects)
    done = cloud.bootstrap()
    assert done.returncode == 1
    assert told in done.stderr
    assert cloud.changes() == []


def test_one_project_cannot_be_all_three(cloud: Cloud) -> None:
    done = cloud.bootstrap("--users-project=tarsify-staging")
    assert done.returncode == 1
    assert "three projects" in done.stderr


def test_whoever_is_told_has_an_address(cloud: Cloud) -> None:
    done = cloud.bootstrap("--alerts-email=nobody")
    assert done.returncode == 1
    assert "--alerts-email is no address" in done.stderr
    assert cloud.state["calls"] == []


def test_variables_that_somebody_edited_stay(cloud: Cloud) -> None:
    cloud.bootstrap()
    edited = cloud.file("terraform.tfvars").read_text() + '\nadmin_uids = ["abc"]\n'
    cloud.file("terraform.tfvars").write_text(edited)
    assert cloud.bootstrap().returncode == 0
    assert cloud.file("terraform.tfvars").read_text() == edited


def test_secrets_are_taken_over_by_the_first_plan_only(cloud: Cloud) -> None:
    cloud.bootstrap()
    taken = re.findall(
        r'id = "projects/tarsify-staging/secrets/(.+)"', cloud.file("first-plan.tf").read_text()
    )
    assert taken == list(SECRETS)
    cloud.change(objects=["gs://tarsify-staging-state/tarsify/staging/default.tfstate"])
    assert cloud.bootstrap().returncode == 0
    assert not cloud.file("first-plan.tf").exists()


def test_the_secrets_are_those_that_terraform_knows() -> None:
    functions = (ROOT / "terraform" / "modules" / "installation" / "functions.tf").read_text()
    rows = re.findall(r"secrets\s*= \[(.*?)\]", functions)
    known = {name for row in rows for name in re.findall(r'"([a-z-]+)"', row)}
    assert known == set(secret_names()) == set(SECRETS)


def test_the_variables_are_those_that_the_environment_declares(cloud: Cloud) -> None:
    cloud.bootstrap()
    given = re.findall(r"^(\w+) = ", cloud.file("terraform.tfvars").read_text(), re.MULTILINE)
    declared = cloud.file("variables.tf").read_text()
    required = [
        name
        for name, body in re.findall(r'variable "(\w+)" \{(.*?)\n\}', declared, re.DOTALL)
        if "default" not in body
    ]
    assert set(given) | {"archives"} == set(required)  # the archives come from infra/pack
