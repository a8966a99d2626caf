"""`infra/up` as a person uses it: the story, a taken port, and a token for curl."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from infra.local.ports import free_port
from infra.local.runpod.testing import running_simulator
from tests.world import SDXL_OUTPUT

ROOT = Path(__file__).parents[2]


def _up(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(ROOT / "infra" / "up"), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.timeout(240)
def test_the_story_ends_well_and_leaves_nothing_running(tmp_path: Path) -> None:
    port = free_port()

    done = _up("--once", "--port", str(port), "--data", str(tmp_path / "data"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Scribe: 'hello from tarsify'" in done.stdout
    assert "nothing charged" in done.stdout
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.timeout(240)
def test_with_a_key_of_runpod_the_same_platform_runs_by_polling(tmp_path: Path) -> None:
    with running_simulator(endpoints=["abc123"], key="real-key") as runpod:
        runpod.behave("abc123", mode="script", run_ms=500, output=SDXL_OUTPUT)

        done = _up(
            *("--once", "--port", str(free_port()), "--data", str(tmp_path / "data")),
            RUNPOD_API_KEY="real-key",
            RUNPOD_BASE_URL=runpod.base_url,
            RUNPOD_EP_SDXL="abc123",
        )
        jobs = runpod.jobs("abc123")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Watercolours: image/png" in done.stdout
    assert "skipped Narrator: no endpoint id" in done.stdout
    assert [(job["status"], job["webhooks"]) for job in jobs] == [("COMPLETED", [])]


def test_a_taken_port_is_said_in_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = _up("--once", "--port", str(port), "--data", str(tmp_path / "data"))

    assert done.returncode == 1
    assert f"port {port} is taken" in done.stdout


def test_a_token_is_printed_for_a_user_of_either_project() -> None:
    for project in ("users", "developers"):
        done = subprocess.run(
            [str(ROOT / "infra" / "token"), project, "alice"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.count(".") == 2
