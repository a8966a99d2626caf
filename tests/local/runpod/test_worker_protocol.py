"""The protocol of runpod.md 6.3, spoken by hand; real workers speak it in tests/local/workers."""

import json
import threading
import time
from typing import Any

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from tests.local.runpod.submitting import run, status

JSON = dict[str, Any]


def take(api: httpx.Client, worker: str = "w1") -> JSON | None:
    reply = api.get(f"/job-take/{worker}?gpu=SIM&job_in_progress=0")
    assert reply.status_code in (200, 204)
    job: JSON | None = reply.json() if reply.status_code == 200 else None
    return job


def report(api: httpx.Client, job: str, result: JSON, worker: str = "w1") -> int:
    reply = api.post(
        f"/job-done/{worker}/{job}?gpu=SIM&isStream=false",
        content=json.dumps(result),
        headers={"Content-Type": "application/x-www-form-urlencoded", "X-Request-ID": job},
    )
    return reply.status_code


def ping(api: httpx.Client, *jobs: str, worker: str = "w1") -> None:
    reply = api.get(f"/ping/{worker}", params={"job_id": ",".join(jobs), "runpod_version": "x"})
    assert reply.status_code == 200


@pytest.fixture(autouse=True)
def short_polls(sim: SimulatorClient) -> None:
    sim.add_endpoint("ep", hold_seconds=0.2)


def test_a_worker_is_handed_a_job_and_its_result_completes_it(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    job = run(api)
    sim.advance(3)
    assert take(api) == {"id": job, "input": {"prompt": "a bridge"}}
    assert status(api, job) == {
        "id": job,
        "status": "IN_PROGRESS",
        "delayTime": 3000,
        "workerId": "w1",
    }
    sim.advance(2)
    assert report(api, job, {"output": {"x": 1}}) == 200
    final = status(api, job)
    assert (final["status"], final["executionTime"], final["output"]) == (
        "COMPLETED",
        2000,
        {"x": 1},
    )


def test_the_bucket_of_a_job_reaches_its_worker_and_nobody_else(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    body = {"input": {"a": 1}, "s3Config": {"bucketName": "b"}, "webhook": "http://x/", "more": 1}
    job = api.post("/run", json=body).json()["id"]
    assert take(api) == {"id": job, "input": {"a": 1}, "s3Config": {"bucketName": "b"}}
    assert "s3Config" not in status(api, job)


def test_without_jobs_a_poll_is_held_and_then_answered_with_nothing(api: httpx.Client) -> None:
    began = time.monotonic()
    assert take(api) is None
    assert 0.15 < time.monotonic() - began < 2


def test_a_waiting_worker_gets_a_job_at_once(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.add_endpoint("ep", hold_seconds=10)
    taken: list[JSON | None] = []
    waiting = threading.Thread(target=lambda: taken.append(take(api)))
    waiting.start()
    time.sleep(0.05)
    began = time.monotonic()
    job = run(api)
    waiting.join(5)
    assert time.monotonic() - began < 1
    assert taken[0] is not None
    assert taken[0]["id"] == job


def test_a_worker_that_hung_up_is_not_handed_a_job(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.add_endpoint("ep", hold_seconds=10)
    with pytest.raises(httpx.ReadTimeout):
        api.get("/job-take/gone?gpu=SIM", timeout=0.1)
    time.sleep(0.05)
    job = run(api)
    taken = take(api, "alive")
    assert taken is not None
    assert taken["id"] == job


def test_a_batch_is_at_most_as_large_as_asked_and_oldest_first(api: httpx.Client) -> None:
    jobs = [run(api) for _ in range(3)]
    reply = api.get("/job-take-batch/w1?gpu=SIM&batch_size=2&job_in_progress=0")
    assert [job["id"] for job in reply.json()] == jobs[:2]
    assert api.get("/health").json()["workers"]["running"] == 1


def test_a_worker_needs_the_key(sim: SimulatorClient) -> None:
    assert httpx.get(f"{sim.base_url}/ep/job-take/w1?gpu=SIM").status_code == 401


def test_a_failed_result_may_keep_its_other_keys_as_output(api: httpx.Client) -> None:
    job = run(api)
    take(api)
    report(api, job, {"error": "bad node", "output": {"details": [1]}})
    final = status(api, job)
    assert (final["status"], final["error"], final["output"]) == (
        "FAILED",
        "bad node",
        {"details": [1]},
    )


def test_progress_shows_while_running_and_overwrites_a_final_result(api: httpx.Client) -> None:
    job = run(api)
    take(api)
    assert report(api, job, {"status": "IN_PROGRESS", "output": "40%"}) == 200
    assert status(api, job)["output"] == "40%"
    report(api, job, {"output": 1})
    report(api, job, {"status": "IN_PROGRESS", "output": "90%"})
    assert (status(api, job)["status"], status(api, job)["output"]) == ("IN_PROGRESS", "90%")


def test_a_result_too_large_is_refused_and_lost(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.add_endpoint("ep", result_limit=1000)
    job = run(api)
    take(api)
    assert report(api, job, {"output": "x" * 1000}) == 400
    final = status(api, job)
    assert final["status"] == "COMPLETED"
    assert "output" not in final


def test_streamed_chunks_are_read_while_the_job_runs(api: httpx.Client) -> None:
    job = run(api)
    take(api)
    for chunk in ("a", {"b": 1}):
        api.post(f"/job-stream/w1/{job}?gpu=SIM", content=json.dumps({"output": chunk}))
    stream = api.get(f"/stream/{job}").json()
    assert stream == {"status": "IN_PROGRESS", "stream": [{"output": "a"}, {"output": {"b": 1}}]}


def test_a_silent_worker_loses_its_job_once_and_then_the_job_fails(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    job = run(api)
    take(api, "w1")
    sim.advance(41)
    assert status(api, job)["status"] == "IN_QUEUE"
    taken = take(api, "w2")
    assert taken is not None
    assert taken["id"] == job
    assert status(api, job)["retries"] == 1
    sim.advance(41)
    final = status(api, job)
    assert (final["status"], final["error"]) == ("FAILED", "job timed out after 1 retries")
    assert final["delayTime"] >= 41_000


def test_pings_that_name_the_job_keep_it(sim: SimulatorClient, api: httpx.Client) -> None:
    job = run(api)
    take(api)
    for _ in range(6):
        sim.advance(30)
        ping(api, job)
    assert status(api, job)["status"] == "IN_PROGRESS"
    ping(api, "another")
    sim.advance(41)
    assert status(api, job)["status"] == "IN_QUEUE"


def test_a_result_of_a_worker_that_lost_the_job_is_ignored(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    job = run(api)
    take(api, "w1")
    sim.advance(41)
    take(api, "w2")
    report(api, job, {"output": "stale"}, worker="w1")
    assert status(api, job)["status"] == "IN_PROGRESS"
    report(api, job, {"output": "fresh"}, worker="w2")
    assert status(api, job)["output"] == "fresh"


def test_a_worker_is_told_to_stop_a_cancelled_job(sim: SimulatorClient, api: httpx.Client) -> None:
    assert api.get("/job-stop/w1?gpu=SIM").status_code == 204
    job = run(api)
    take(api)
    api.post(f"/cancel/{job}")
    assert api.get("/job-stop/w1?gpu=SIM").json() == {"jobsToStop": [job]}
    assert api.get("/job-stop/w1?gpu=SIM").status_code == 204
    report(api, job, {"output": 1})
    assert status(api, job)["status"] == "CANCELLED"


def test_a_job_over_its_execution_timeout_is_stopped_at_the_worker(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.add_endpoint("ep", hold_seconds=0.2, silence_seconds=3600)
    job = run(api, executionTimeout=5_000)
    take(api)
    sim.advance(15)
    assert status(api, job)["error"] == "executionTimeout exceeded"
    assert api.get("/job-stop/w1?gpu=SIM").json() == {"jobsToStop": [job]}


def test_the_result_of_an_expired_job_has_nowhere_to_go(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    job = run(api, ttl=10_000)
    take(api)
    sim.advance(11)
    assert report(api, job, {"output": 1}) == 404


def test_f10_makes_two_workers_run_one_job(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F10")
    job = run(api)
    take(api, "w1")
    assert report(api, job, {"output": 1}, worker="w1") == 200
    assert status(api, job)["status"] == "IN_PROGRESS"
    sim.advance(41)
    take(api, "w2")
    report(api, job, {"output": 2}, worker="w2")
    final = status(api, job)
    assert (final["output"], final["retries"]) == (2, 1)
    assert sim.jobs("ep")[0]["runs"] == 2


def test_a_job_without_input_reaches_the_worker_without_the_key(api: httpx.Client) -> None:
    job = api.post("/run", json={"input": {}}).json()["id"]
    assert take(api) == {"id": job}
