"""Cancel, retry, purge, health, and the limits of the service (runpod.md 1 and 2)."""

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from tests.local.runpod.submitting import run, status


@pytest.mark.parametrize("seconds", [0, 5])
def test_a_queued_or_running_job_can_be_cancelled(
    sim: SimulatorClient, api: httpx.Client, seconds: int
) -> None:
    sim.behave("ep", mode="script", queue_ms=2000, run_ms=60_000, output=1)
    job = run(api)
    sim.advance(seconds)
    reply = api.post(f"/cancel/{job}")
    assert reply.json() == {"id": job, "status": "CANCELLED"}
    sim.advance(120)
    assert status(api, job)["status"] == "CANCELLED"


def test_cancelling_a_finished_job_tells_its_status_or_is_refused_by_switch(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="instant", output=1)
    job = run(api)
    assert api.post(f"/cancel/{job}").json()["status"] == "COMPLETED"
    sim.add_endpoint("ep", cancel_of_a_finished_job_is_refused=True)
    assert api.post(f"/cancel/{job}").status_code == 400


def test_only_a_failed_job_can_be_retried_and_it_keeps_its_id(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="script", run_ms=1000, output=1)
    sim.behave("ep", mode="script", run_ms=1000, error="bad luck", next=1)
    job = run(api)
    sim.advance(1)
    assert status(api, job)["status"] == "FAILED"
    assert api.post(f"/retry/{job}").json() == {"id": job, "status": "IN_QUEUE"}
    assert "error" not in status(api, job)
    sim.advance(1)
    assert status(api, job)["output"] == 1
    assert sim.jobs("ep")[0]["runs"] == 2
    assert api.post(f"/retry/{job}").status_code == 400


def test_purging_removes_queued_jobs_and_leaves_running_ones(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="script", run_ms=60_000, output=1)
    running = run(api)
    sim.behave("ep", mode="workers")
    queued = [run(api), run(api)]
    assert api.post("/purge-queue").json() == {"removed": 2, "status": "completed"}
    assert status(api, running)["status"] == "IN_PROGRESS"
    assert [api.get(f"/status/{job}").status_code for job in queued] == [404, 404]


def test_purged_jobs_are_cancelled_instead_by_switch(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.add_endpoint("ep", purged_jobs_are_cancelled=True)
    job = run(api)
    api.post("/purge-queue")
    assert status(api, job)["status"] == "CANCELLED"


def test_health_counts_jobs_and_workers(sim: SimulatorClient, api: httpx.Client) -> None:
    run(api)
    sim.behave("ep", mode="instant", output=1)
    run(api)
    sim.behave("ep", mode="instant", error="x")
    run(api)
    health = api.get("/health").json()
    assert health["jobs"] == {
        "completed": 1,
        "failed": 1,
        "inProgress": 0,
        "inQueue": 1,
        "retried": 0,
    }
    assert health["workers"].keys() == {
        "idle",
        "initializing",
        "ready",
        "running",
        "throttled",
        "unhealthy",
    }


def test_requests_lists_recent_jobs(sim: SimulatorClient, api: httpx.Client) -> None:
    job = run(api)
    listed = api.get("/requests").json()["requests"]
    assert [(entry["id"], entry["status"]) for entry in listed] == [(job, "IN_QUEUE")]


def test_the_execution_time_out_is_enforced_late_and_says_failed(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="script", run_ms=3_600_000, output=1)
    job = run(api, executionTimeout=20_000)
    sim.advance(22.7)
    assert status(api, job)["status"] == "IN_PROGRESS"
    sim.advance(7)
    final = status(api, job)
    assert final["status"] == "FAILED"
    assert final["error"] == "executionTimeout exceeded"
    assert 22_800 <= final["executionTime"] <= 29_500


def test_rate_limits_are_off_unless_switched_on(sim: SimulatorClient, api: httpx.Client) -> None:
    assert [api.post("/purge-queue").status_code for _ in range(3)] == [200, 200, 200]
    sim.add_endpoint("ep", rate_limits=True, retry_after=True)
    assert [api.post("/purge-queue").status_code for _ in range(3)] == [200, 200, 429]
    assert api.post("/purge-queue").headers["Retry-After"] == "5"
    sim.advance(10)
    assert api.post("/purge-queue").status_code == 200


def test_the_old_limit_of_queued_jobs_is_a_switch(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.add_endpoint("ep", queue_limit=True, workers_max=0)
    codes = [api.post("/run", json={"input": {"a": 1}}).status_code for _ in range(52)]
    assert codes == [200] * 51 + [429]
