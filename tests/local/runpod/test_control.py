"""The control interface and the command line."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from tests.local.runpod.receiver import Receiver
from tests.local.runpod.submitting import run


def test_jobs_are_listed_with_inputs_history_and_webhook_attempts(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.behave("ep", mode="instant", output=1)
    job_id = run(api, receiver.url("t"), ttl=60_000)
    receiver.wait_for(1)
    sim.advance(1)
    (job,) = sim.jobs()
    assert job["id"] == job_id
    assert job["input"] == {"prompt": "a bridge"}
    assert job["policy"]["ttl"] == 60_000
    assert [step["status"] for step in job["history"]] == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    assert (job["runs"], job["index"]) == (1, 0)
    assert [w["answer"] for w in job["webhooks"]] == [200]


def test_a_reset_forgets_jobs_faults_and_behaviours_but_keeps_endpoints(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="instant", output=1)
    sim.fault("ep", "F8")
    job = run(api)
    sim.reset()
    assert sim.jobs() == []
    assert sim.faults()["on"] == []
    assert api.get(f"/status/{job}").status_code == 404
    assert sim.endpoints()["ep"]["behaviour"] == {"mode": "workers"}
    assert sim.endpoints()["ep"]["submitted"] == 0


@pytest.mark.parametrize(
    ("endpoint", "behaviour"),
    [
        ("ep", {"mode": "magic"}),
        ("ep", {"mode": "instant", "run_ms": 5}),
        ("nowhere", {"mode": "instant"}),
    ],
)
def test_a_wrong_behaviour_is_refused_with_a_reason(
    sim: SimulatorClient, endpoint: str, behaviour: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"magic|run_ms|nowhere"):
        sim.behave(endpoint, behaviour)


def test_an_unknown_setting_is_refused(sim: SimulatorClient) -> None:
    with pytest.raises(ValueError, match="speed"):
        sim.add_endpoint("ep", speed=9)


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "infra.local.runpod", "--key", "k"]
    with subprocess.Popen(
        [*command, "--endpoint", "a", "--endpoint", "b", "--seed", "3", "--time-scale", "50"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as running:
        yield running
        running.kill()


def test_the_command_says_where_it_listens_and_ends_on_a_signal(
    process: "subprocess.Popen[str]",
) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"RunPod simulator ready at (http://127\.0\.0\.1:\d+)/v2\n", line)
    assert found is not None
    sim = SimulatorClient(found[1], key="k")
    assert sim.endpoints().keys() == {"a", "b"}
    assert sim.faults()["seed"] == 3
    sim.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
