"""Faults of the job and of the API, F4 to F18 of runpod.md 6.4, seen from outside."""

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.fault_table import FAULTS
from tests.local.runpod.receiver import Receiver
from tests.local.runpod.submitting import run, status


@pytest.fixture(autouse=True)
def instant(sim: SimulatorClient) -> None:
    sim.behave("ep", mode="instant", output={"x": 1})


def test_every_fault_of_the_table_is_known_and_explained(sim: SimulatorClient) -> None:
    assert list(FAULTS) == [f"F{number}" for number in range(1, 21)]
    assert all(row["meaning"] and row["seenIn"] for row in sim.faults()["table"].values())


def test_f4_accepts_the_job_and_drops_the_connection(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.fault("ep", "F4", next=1)
    with pytest.raises(httpx.TransportError):
        run(api)
    orphan = sim.jobs("ep")[0]
    assert status(api, orphan["id"])["status"] == "COMPLETED"
    run(api)


@pytest.mark.parametrize("code", [502, 429])
def test_f5_refuses_a_submission(sim: SimulatorClient, api: httpx.Client, code: int) -> None:
    sim.fault("ep", "F5", variant=str(code), next=1)
    assert api.post("/run", json={"input": {"a": 1}}).status_code == code
    assert sim.jobs("ep") == []
    assert sim.endpoints()["ep"]["counters"]["refused"] == 1
    run(api)


def test_f5_may_have_created_the_job_all_the_same(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F5", variant="502", created=True)
    assert api.post("/run", json={"input": {"a": 1}}).status_code == 502
    assert len(sim.jobs("ep")) == 1


def test_f5_keeps_a_submission_without_an_answer(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F5", variant="timeout", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        api.post("/run", json={"input": {"a": 1}}, timeout=0.2)
    assert sim.jobs("ep") == []


@pytest.mark.parametrize(
    ("cause", "counter"),
    [
        ("no_workers", None),
        ("throttled", "throttled"),
        ("unhealthy", "unhealthy"),
        ("initializing", "initializing"),
    ],
)
def test_f6_leaves_the_job_in_the_queue_and_health_says_why(
    sim: SimulatorClient, api: httpx.Client, cause: str, counter: str | None
) -> None:
    sim.fault("ep", "F6", variant=cause)
    job = run(api)
    sim.advance(3600)
    assert status(api, job) == {"id": job, "status": "IN_QUEUE"}
    health = api.get("/health").json()
    assert health["jobs"]["inQueue"] == 1
    assert {name for name, number in health["workers"].items() if number} == {counter} - {None}
    sim.mend("ep", "F6")
    assert status(api, job)["status"] == "COMPLETED"


def test_f7_hangs_in_progress_with_an_error_in_the_output(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.fault("ep", "F7")
    job = run(api)
    sim.advance(3600)
    hung = status(api, job)
    assert hung["status"] == "IN_PROGRESS"
    assert "CUDA error" in hung["output"]["error"]
    assert api.post(f"/cancel/{job}").json()["status"] == "CANCELLED"


def test_f8_completes_without_output(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F8")
    job = run(api, receiver.url("t"))
    assert status(api, job)["status"] == "COMPLETED"
    assert "output" not in status(api, job)
    assert "output" not in receiver.wait_for(1)[0].body


@pytest.mark.parametrize("variant", FAULTS["F9"].variants)
def test_f9_completes_with_an_output_that_says_error(
    sim: SimulatorClient, api: httpx.Client, variant: str
) -> None:
    sim.fault("ep", "F9", variant=variant)
    final = status(api, run(api))
    assert final["status"] == "COMPLETED"
    assert "error" in str(final["output"]).lower()
    assert "error" not in final


def test_f10_runs_the_job_twice(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="script", queue_ms=1000, run_ms=2000, output=1)
    sim.fault("ep", "F10")
    job = run(api)
    sim.advance(4)
    assert status(api, job)["status"] == "IN_PROGRESS"
    first_delay = status(api, job)["delayTime"]
    sim.advance(60)
    final = status(api, job)
    assert (final["status"], final["retries"]) == ("COMPLETED", 1)
    assert final["delayTime"] > first_delay + 40_000
    assert sim.jobs("ep")[0]["runs"] == 2
    assert api.get("/health").json()["jobs"]["retried"] == 1


def test_f11_gives_the_job_up_after_its_second_run(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F11")
    job = run(api)
    sim.advance(120)
    final = status(api, job)
    assert final["status"] == "FAILED"
    assert final["error"] == "job timed out after 1 retries"
    assert sim.jobs("ep")[0]["runs"] == 2


@pytest.mark.parametrize("verdict", ["FAILED", "TIMED_OUT"])
def test_f12_exceeds_the_execution_timeout_and_is_stopped_late(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver, verdict: str
) -> None:
    sim.fault("ep", "F12", variant=verdict)
    job = run(api, receiver.url("t"), executionTimeout=5_000)
    sim.advance(7.9)
    assert status(api, job)["status"] == "IN_PROGRESS"
    sim.advance(7.2)
    final = status(api, job)
    assert (final["status"], final["error"]) == (verdict, "executionTimeout exceeded")
    assert receiver.wait_for(1)[0].body["status"] == verdict


def test_f13_hides_a_fresh_job_for_a_while(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F13", variant="propagation", seconds=150)
    job = run(api)
    reply = api.get(f"/status/{job}")
    assert reply.status_code == 404
    assert reply.json()["status"] == 404
    sim.advance(151)
    assert status(api, job)["status"] == "COMPLETED"


def test_f13_loses_a_result_as_if_its_retention_were_over(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F13", variant="retention")
    job = run(api, receiver.url("t"))
    assert api.get(f"/status/{job}").status_code == 404
    assert receiver.wait_for(1)[0].body["status"] == "COMPLETED"


def test_f13_deletes_a_running_job(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="script", run_ms=60_000, output=1)
    sim.fault("ep", "F13", variant="ttl", seconds=5)
    job = run(api)
    assert status(api, job)["status"] == "IN_PROGRESS"
    sim.advance(6)
    assert api.get(f"/status/{job}").status_code == 404


def test_f14_overwrites_the_final_result_with_progress(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.fault("ep", "F14", seconds=3)
    job = run(api)
    assert status(api, job)["status"] == "COMPLETED"
    sim.advance(4)
    overwritten = status(api, job)
    assert (overwritten["status"], overwritten["output"]) == ("IN_PROGRESS", "95%")
    assert "executionTime" in overwritten


def test_f16_lets_a_cancelled_job_complete(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.behave("ep", mode="script", run_ms=10_000, output=1)
    sim.fault("ep", "F16")
    job = run(api, receiver.url("t"))
    assert api.post(f"/cancel/{job}").json() == {"id": job, "status": "CANCELLED"}
    sim.advance(11)
    assert status(api, job)["status"] == "COMPLETED"
    assert receiver.wait_for(1)[0].body["status"] == "COMPLETED"


@pytest.mark.parametrize("code", [500, 502, 524])
def test_f17_answers_status_with_5xx_for_a_while(
    sim: SimulatorClient, api: httpx.Client, code: int
) -> None:
    job = run(api)
    sim.fault("ep", "F17", variant=str(code), seconds=180)
    assert api.get(f"/status/{job}").status_code == code
    sim.advance(179)
    assert api.get(f"/status/{job}").status_code == code
    sim.advance(2)
    assert status(api, job)["status"] == "COMPLETED"


def test_f18_answers_an_unknown_status_until_the_end(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="script", queue_ms=1000, run_ms=1000, output=1)
    sim.fault("ep", "F18", variant="unknown_status")
    job = run(api)
    assert status(api, job)["status"] == "WARMING"
    assert sim.jobs("ep")[0]["status"] == "IN_QUEUE"
    sim.advance(3)
    assert status(api, job)["status"] == "COMPLETED"


def test_f18_adds_fields_and_leaves_fields_out(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F18", variant="extra_fields", next=1)
    job = run(api, receiver.url("t"))
    assert "schemaVersion" in status(api, job)
    assert "schemaVersion" in receiver.wait_for(1)[0].body
    sim.fault("ep", "F18", variant="no_delay_time")
    assert "delayTime" not in status(api, run(api))
