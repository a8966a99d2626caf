"""The steps of a release as they run: the scripts themselves, with stand-ins for the cloud's tools.

A stand-in comes first on the PATH, writes down how it was called and answers as the test says.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.packing.contents import ROOT, function_names

TOOLS = ("gcloud", "terraform", "docker")
STAND_IN = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\ncase "$(basename "$0") $*" in\n'
ARCHIVES = {"tasks": {"path": "dist/tasks-1.zip", "sha256": "1" * 64}}


class Tree:
    """A copy of what the scripts work on, with its own dist/ and its own tools."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.dist, self.calls_file = folder, folder / "dist", folder / "calls"
        for name in ("infra", "common", "functions"):
            ignored = shutil.ignore_patterns("__pycache__", ".terraform")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt"):
            shutil.copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.dist.mkdir()
        (folder / "bin").mkdir()
        self.answer("")

    def answer(self, cases: str) -> None:
        """What the tools say: shell `case` branches over `<tool> <arguments>`."""
        for tool in TOOLS:
            file = self.folder / "bin" / tool
            file.write_text(f"{STAND_IN}{cases}\n*) ;;\nesac\n")
            file.chmod(0o755)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            [str(self.folder / "infra" / script)],
            env={"PATH": path, "CALLS": str(self.calls_file), **environment},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def done(self, script: str, **environment: str) -> str:
        """Runs a script that must succeed; answers what it printed."""
        result = self.run(script, **environment)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def calls(self) -> list[str]:
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        return text.replace(str(self.folder), "").splitlines()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")


def test_what_is_packed_is_what_is_listed(tree: Tree) -> None:
    tree.done("pack")
    listed = json.loads((tree.dist / "archives.json").read_text())
    assert sorted(listed) == function_names()
    assert all((tree.folder / each["path"]).is_file() for each in listed.values())


def test_the_list_of_parts_names_every_package_with_its_hashes(tree: Tree) -> None:
    tree.done("release/parts")
    parts = json.loads((tree.dist / "parts.cdx.json").read_text())
    assert (parts["bomFormat"], parts["metadata"]["component"]["name"]) == ("CycloneDX", "tarsify")
    assert "serialNumber" not in parts  # no chance and no moment in it: the same parts, same bytes
    assert "timestamp" not in parts["metadata"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines if "==" in line}
    assert {each["name"].lower() for each in parts["components"]} == pinned
    assert all(each["externalReferences"][0]["hashes"] for each in parts["components"])


def test_terraform_is_given_the_archives_and_its_plan_is_kept(tree: Tree) -> None:
    (tree.dist / "archives.json").write_text(json.dumps(ARCHIVES))
    tree.answer("""*show*) echo '{"planned": true}' ;; *" plan "*) echo "$TF_VAR_archives" ;;""")
    said = tree.done("release/plan", ENVIRONMENT="prod", STATE_BUCKET="states")
    assert json.loads(said) == ARCHIVES
    assert json.loads((tree.dist / "plan.json").read_text()) == {"planned": True}
    at = "terraform -chdir=terraform/environments/prod"
    assert tree.calls() == [
        "terraform fmt -check -recursive terraform",
        f"{at} init -input=false -backend-config=bucket=states",
        f"{at} validate",
        f"{at} plan -input=false -lock-timeout=5m -out=/dist/plan",
        f"{at} show -json /dist/plan",
    ]


def test_nothing_is_planned_after_an_invalid_configuration(tree: Tree) -> None:
    (tree.dist / "archives.json").write_text(json.dumps(ARCHIVES))
    tree.answer("*validate*) exit 1 ;;")
    assert tree.run("release/plan", ENVIRONMENT="prod", STATE_BUCKET="states").returncode == 1
    assert not [call for call in tree.calls() if " plan " in call]


def test_a_plan_that_loses_data_is_refused(tree: Tree) -> None:
    change = {"actions": ["delete", "create"], "after": {}}
    lost = {"address": "google_sql_database.main", "type": "google_sql_database", "change": change}
    (tree.dist / "plan.json").write_text(json.dumps({"resource_changes": [lost]}))
    refused = tree.run("release/policy")
    assert refused.returncode == 1
    assert "google_sql_database.main: would be deleted or replaced" in refused.stderr
    (tree.dist / "plan.json").write_text(json.dumps({"resource_changes": []}))
    tree.done("release/policy")


def test_the_migration_job_gets_the_image_that_was_pushed_by_its_digest(tree: Tree) -> None:
    tree.answer("*inspect*) echo registry.example/migrations@sha256:abc ;;")
    tree.done("release/migrations-image", MIGRATIONS_IMAGE="registry.example/migrations", TAG="r7")
    tree.done("release/migrate", REGION="here", MIGRATIONS_JOB="db-migrate")
    assert [call.split()[:2] for call in tree.calls()[:3]] == [
        ["docker", "build"],
        ["docker", "push"],
        ["docker", "inspect"],
    ]
    job = "db-migrate --region=here"
    assert tree.calls()[3:] == [
        f"gcloud run jobs update {job} --image=registry.example/migrations@sha256:abc",
        f"gcloud run jobs execute {job} --wait",
    ]


def test_a_failed_migration_fails_its_step(tree: Tree) -> None:
    (tree.dist / "migrations-image").write_text("image@sha256:abc")
    tree.answer("*execute*) exit 3 ;;")
    assert tree.run("release/migrate", REGION="here", MIGRATIONS_JOB="db-migrate").returncode == 3


def test_the_plan_that_was_checked_is_the_one_that_is_applied(tree: Tree) -> None:
    tree.done("release/apply", ENVIRONMENT="prod")
    at = "terraform -chdir=terraform/environments/prod"
    assert tree.calls() == [f"{at} apply -input=false -lock-timeout=5m /dist/plan"]
    assert (tree.dist / "passed-apply").exists()


@pytest.mark.parametrize("step", ["apply", "smoke-internal"])
def test_a_step_that_fails_does_not_keep_an_earlier_pass(tree: Tree, step: str) -> None:
    (tree.dist / f"passed-{step}").touch()
    tree.answer("*) exit 1 ;;")
    told = {"ENVIRONMENT": "prod", "REGION": "here", "INTERNAL_JOB": "audit"}
    assert tree.run(f"release/{step}", **told).returncode != 0
    assert not (tree.dist / f"passed-{step}").exists()


def test_revisions_that_answer_now_are_kept_ours_only(tree: Tree) -> None:
    tree.answer(r"""*"services list"*) printf 'tarsify-admin admin-00007\nother o-1\n' ;;""")
    tree.done("release/revisions", REGION="here", SERVICE_PREFIX="tarsify-")
    assert (tree.dist / "revisions").read_text() == "tarsify-admin admin-00007\n"


def test_the_first_release_has_nothing_to_go_back_to(tree: Tree) -> None:
    tree.done("release/revisions", REGION="here", SERVICE_PREFIX="tarsify-")
    assert (tree.dist / "revisions").read_text() == ""
    tree.done("release/rollback", REGION="here")
    assert len(tree.calls()) == 1


def test_a_release_whose_steps_passed_is_left_alone(tree: Tree) -> None:
    for step in ("apply", "smoke", "smoke-internal"):
        (tree.dist / f"passed-{step}").touch()
    assert tree.done("release/finish", REGION="here") == "released\n"
    assert tree.calls() == []


@pytest.mark.parametrize("failed", ["apply", "smoke", "smoke-internal"])
def test_a_release_that_failed_anywhere_sends_traffic_back(tree: Tree, failed: str) -> None:
    for step in {"apply", "smoke", "smoke-internal"} - {failed}:
        (tree.dist / f"passed-{step}").touch()
    (tree.dist / "revisions").write_text(
        "tarsify-admin admin-00007\ntarsify-new \ntarsify-tasks t-3\n"
    )
    tree.answer("*update-traffic?tarsify-admin*) cat; exit 1 ;;")
    result = tree.run("release/finish", REGION="here")
    assert (result.returncode, failed in result.stderr) == (1, True)
    to = "gcloud run services update-traffic"
    assert tree.calls() == [
        f"{to} tarsify-admin --region=here --to-revisions=admin-00007=100",
        f"{to} tarsify-tasks --region=here --to-revisions=t-3=100",
    ]


def scheduler(code: str) -> str:
    """A job whose last attempt changes once it was told to run, and how that ended."""
    return f"""*"jobs run"*) touch "$CALLS.ran" ;;
        *lastAttemptTime*) if [ -e "$CALLS.ran" ]; then echo 12:01; else echo 12:00; fi ;;
        *status.code*) echo '{code}' ;;"""


def test_the_internal_call_passes_when_the_scheduler_was_answered_well(tree: Tree) -> None:
    tree.answer(scheduler(""))
    tree.done("release/smoke-internal", REGION="here", INTERNAL_JOB="audit")
    assert (tree.dist / "passed-smoke-internal").exists()
    assert "gcloud scheduler jobs run audit --location=here" in tree.calls()


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        pytest.param(scheduler("7"), "answered with an error, code 7", id="refused"),
        pytest.param("*lastAttemptTime*) echo 12:00 ;;", "was not called", id="never called"),
    ],
)
def test_the_internal_call_fails_when_the_function_did(tree: Tree, cases: str, said: str) -> None:
    tree.answer(cases)
    quick = {"ATTEMPTS": "2", "PAUSE_SECONDS": "0"}
    result = tree.run("release/smoke-internal", REGION="here", INTERNAL_JOB="audit", **quick)
    assert (result.returncode, said in result.stderr) == (1, True)
    assert not (tree.dist / "passed-smoke-internal").exists()


@pytest.mark.parametrize(
    "script", ["plan", "migrations-image", "migrate", "revisions", "apply", "smoke", "finish"]
)
def test_a_step_that_was_not_told_where_does_nothing(tree: Tree, script: str) -> None:
    assert tree.run(f"release/{script}").returncode != 0
    assert tree.calls() == []
