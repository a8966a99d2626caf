"""The runbook, followed word for word: from no project at all to the first plan.

REHEARSAL=<file> keeps what was typed and answered.
"""

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.terraform_checking import tools
from infra.terraform_checking.terraform import LOCAL_BACKEND, Terraform, terraform
from tests.bootstrap.cloud import ROOT, SECRETS, Cloud, fingerprint, vendors

RUNBOOK = ROOT / "infra" / "runbook" / "bootstrap.md"
# The state is kept in a bucket; here it is a file, which takes no word of buckets.
TERRAFORM = """#!/usr/bin/env bash
for word in "$@"; do [[ $word = -backend-config=* ]] || words+=("$word"); done
exec {real} "${{words[@]}}"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Cloud]:
    """An operator's machine with a clone, the tools, and a cloud in which there is nothing."""
    if reason := tools.missing_terraform():
        pytest.skip(f"THE RUNBOOK IS NOT REHEARSED: {reason}")
    with ExitStack() as stack:
        outside = stack.enter_context(vendors())
        with tools.alone():
            python, schema = tools.protocol_python(), tools.schema()
        provider = stack.enter_context(terraform(python, schema))
        cloud = Cloud(tmp_path, outside.environment)
        cloud.change(projects={})
        _lend_terraform(cloud, provider)
        yield cloud


def _lend_terraform(cloud: Cloud, provider: Terraform) -> None:
    real = shutil.which("terraform")
    wrapper = cloud.tools / "terraform"
    wrapper.write_text(TERRAFORM.format(real=real))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    cloud.environment |= {k: v for k, v in provider.environ.items() if k.startswith("TF_")}
    cloud.file("backend_override.tf").write_text(LOCAL_BACKEND)


def _blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", RUNBOOK.read_text(encoding="utf-8"), re.S | re.M)


@pytest.mark.timeout(300)
def test_the_runbook_leads_from_nothing_to_a_first_plan(desk: Cloud) -> None:
    typed = "".join(f"{value}\n" for value in SECRETS.values())
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _script()],
        cwd=desk.root,
        env=desk.environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    _keep(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert desk.state["secrets"] == {n: [fingerprint(v)] for n, v in SECRETS.items()}
    assert {it["pays"] for it in desk.state["projects"].values()} == {"True"}
    plan = json.loads((desk.root / "dist" / "plan.json").read_text())
    changes = [it["change"] for it in plan["resource_changes"]]
    assert len([it for it in changes if it["actions"] == ["create"]]) > 100
    others = [it for it in changes if it["actions"] != ["create"]]
    taken_over = [f"projects/tarsify-staging/secrets/{name}" for name in SECRETS]
    assert sorted(it["importing"]["id"] for it in others) == sorted(taken_over)


def _script() -> str:
    """Each block, shown before it is run, as a terminal would show it."""
    shown = "printf '%s\\n' {0}\n{1}"
    return "".join(shown.format(_quoted(block), block) for block in _blocks())


def _quoted(block: str) -> str:
    return " ".join("'> " + line.replace("'", "'\\''") + "'" for line in block.splitlines())


def _keep(transcript: str) -> None:
    if file := os.environ.get("REHEARSAL"):
        Path(file).write_text(transcript, encoding="utf-8")


def test_every_script_that_the_runbook_names_is_there() -> None:
    named = set(re.findall(r"\binfra/[a-z/_-]+[a-z](?=[ `;\n])", RUNBOOK.read_text()))
    assert len(named) > 5
    assert [each for each in sorted(named) if not (ROOT / each).exists()] == []
