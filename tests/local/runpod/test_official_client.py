"""RunPod's own Python client works against the simulator as it does against the service."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.local.runpod.testing import running_simulator
from infra.local.workers.environment import ensure_environment

JSON = dict[str, Any]
SCRIPT = Path(__file__).with_name("official_client.py")
HEALTH_KEYS = {"jobs", "workers"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> JSON:
    home = tmp_path_factory.mktemp("home")
    with running_simulator(endpoints=["quick", "streamed", "slow", "failing"]) as sim:
        sim.behave("quick", mode="script", queue_ms=50, run_ms=50, output={"done": True})
        sim.behave("streamed", mode="instant", output=["a", "b"], stream=["a", "b"])
        sim.behave("slow", mode="script", queue_ms=600_000, output=1)
        sim.behave("failing", mode="instant", error="no")
        finished = subprocess.run(
            [str(ensure_environment()), str(SCRIPT), sim.base_url, sim.key],
            capture_output=True,
            check=False,
            env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        )
    assert finished.returncode == 0, finished.stderr.decode()
    answers: JSON = json.loads(finished.stdout.splitlines()[-1])
    return answers


def test_run_status_and_output_work(results: JSON) -> None:
    assert results["sync"]["run_id"].endswith("-u1")
    assert results["sync"]["status"] == "COMPLETED"
    assert results["sync"]["output"] == {"done": True}


def test_run_with_a_policy_works(results: JSON) -> None:
    assert results["sync"]["policy_job"].endswith("-u1")


def test_run_sync_works_and_gives_none_for_a_failure(results: JSON) -> None:
    assert results["sync"]["run_sync"] == {"done": True}
    assert results["sync"]["failed"] is None


def test_stream_works(results: JSON) -> None:
    assert results["sync"]["stream"] == results["asyncio"]["stream"] == ["a", "b"]


def test_cancel_works(results: JSON) -> None:
    assert results["sync"]["before_cancel"] == "IN_QUEUE"
    assert results["sync"]["cancel"]["status"] == "CANCELLED"
    assert results["sync"]["after_cancel"] == "CANCELLED"
    assert results["asyncio"]["cancel"]["status"] == "CANCELLED"


def test_health_and_purge_queue_work(results: JSON) -> None:
    assert results["sync"]["health"].keys() == results["asyncio"]["health"].keys() == HEALTH_KEYS
    assert results["sync"]["purge_queue"]["status"] == "completed"
    assert results["sync"]["purge_queue"]["removed"] >= 1


def test_the_asyncio_variants_work(results: JSON) -> None:
    assert results["asyncio"]["status"] == "COMPLETED"
    assert results["asyncio"]["output"] == {"done": True}


def test_a_wrong_key_and_an_unknown_endpoint_raise(results: JSON) -> None:
    assert results["wrong_key"].startswith("RuntimeError: 401")
    assert results["unknown_endpoint"].startswith("HTTPError: 404")
