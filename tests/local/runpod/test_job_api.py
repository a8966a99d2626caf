"""The job API as runpod.md 1 and 2 describe it."""

import re
import threading
import time

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from tests.local.runpod.submitting import run, status

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def test_a_submitted_job_is_answered_with_its_id_and_in_queue(api: httpx.Client) -> None:
    reply = api.post("/run", json={"input": {"prompt": "x"}})
    assert reply.status_code == 200
    assert reply.json().keys() == {"id", "status"}
    assert re.fullmatch(f"{UUID}-u1", reply.json()["id"])
    assert reply.json()["status"] == "IN_QUEUE"


def test_a_script_takes_a_job_through_queue_and_run_with_times_in_ms(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="script", queue_ms=2500, run_ms=4000, output={"x": 1})
    job = run(api)
    assert status(api, job) == {"id": job, "status": "IN_QUEUE"}
    sim.advance(2.5)
    assert status(api, job)["status"] == "IN_PROGRESS"
    assert status(api, job)["delayTime"] == 2500
    sim.advance(4)
    final = status(api, job)
    assert final["status"] == "COMPLETED"
    assert final["output"] == {"x": 1}
    assert (final["delayTime"], final["executionTime"]) == (2500, 4000)
    assert final["workerId"]


def test_a_scripted_error_fails_the_job(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", error="out of memory")
    final = status(api, run(api))
    assert final["status"] == "FAILED"
    assert final["error"] == "out of memory"
    assert "output" not in final


def test_an_error_that_is_no_text_completes_the_job_without_output(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="instant", error=["prompt is a required input."])
    final = status(api, run(api))
    assert final["status"] == "COMPLETED"
    assert final.keys().isdisjoint({"output", "error"})


def test_a_null_output_is_told_from_no_output(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", output=None)
    assert status(api, run(api))["output"] is None


def test_a_behaviour_may_hold_for_the_next_jobs_only(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="instant", output=1)
    sim.behave("ep", mode="instant", error="first try", next=1)
    assert [status(api, run(api))["status"] for _ in range(3)] == [
        "FAILED",
        "COMPLETED",
        "COMPLETED",
    ]


@pytest.mark.parametrize("header", ["Bearer sim-key", "sim-key"])
def test_a_key_is_taken_with_and_without_bearer(sim: SimulatorClient, header: str) -> None:
    reply = httpx.get(f"{sim.base_url}/ep/health", headers={"Authorization": header})
    assert reply.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_a_missing_or_wrong_key_is_unauthorized(
    sim: SimulatorClient, headers: dict[str, str]
) -> None:
    assert httpx.get(f"{sim.base_url}/ep/health", headers=headers).status_code == 401


def test_an_endpoint_with_its_own_key_refuses_the_account_key(sim: SimulatorClient) -> None:
    sim.add_endpoint("own", key="own-key")
    url = f"{sim.base_url}/own/health"
    assert httpx.get(url, headers={"Authorization": "own-key"}).status_code == 200
    assert httpx.get(url, headers={"Authorization": sim.key}).status_code == 401


def test_an_unknown_endpoint_is_404_with_a_detail(sim: SimulatorClient) -> None:
    reply = httpx.post(f"{sim.base_url}/nope/run", headers={"Authorization": sim.key}, json={})
    assert reply.status_code == 404
    assert reply.json() == {"detail": "endpoint not found"}


@pytest.mark.parametrize("path", ["/status/x", "/stream/x", "/status-sync/x"])
def test_an_unknown_job_is_404_with_a_numeric_status(api: httpx.Client, path: str) -> None:
    reply = api.get(path)
    assert reply.status_code == 404
    assert reply.json() == {"status": 404, "title": "Not Found", "detail": "job not found"}


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"input": "text"}',
        b'{"input": {"a": 1}, "policy": {"executionTimeout": 4999}}',
        b'{"input": {"a": 1}, "policy": {"ttl": 9999}}',
        b'{"input": {"a": 1}, "policy": {"ttl": 604800001}}',
        b'{"input": {"a": 1}, "webhook": 7}',
    ],
)
def test_a_malformed_submission_is_refused(
    sim: SimulatorClient, api: httpx.Client, body: bytes
) -> None:
    assert api.post("/run", content=body).status_code == 400
    assert sim.jobs() == []


@pytest.mark.parametrize(("operation", "mib"), [("run", 10), ("runsync", 20)])
def test_a_body_over_the_limit_is_refused(
    sim: SimulatorClient, api: httpx.Client, operation: str, mib: int
) -> None:
    sim.behave("ep", mode="instant", output=1)
    frame = len(b'{"input":{"a":""}}')
    fits = b'{"input":{"a":"%s"}}' % (b"x" * (mib * 1024**2 - frame))
    assert api.post(f"/{operation}", content=fits).status_code == 200
    reply = api.post(f"/{operation}", content=fits + b" ")
    assert reply.status_code == 400
    assert f"exceeded max body size of {mib}MiB" in reply.text


def test_an_empty_input_never_runs_and_ends_as_a_misleading_time_out(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="instant", output=1)
    job = api.post("/run", json={"input": {}}).json()["id"]
    sim.advance(39)
    assert status(api, job)["status"] == "IN_PROGRESS"
    sim.advance(42)
    final = status(api, job)
    assert final["status"] == "FAILED"
    assert final["error"] == "job timed out after 1 retries"
    assert final["retries"] == 1


def test_a_result_of_run_is_kept_thirty_minutes(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", output=1)
    job = run(api)
    sim.advance(30 * 60 - 1)
    assert status(api, job)["status"] == "COMPLETED"
    sim.advance(2)
    assert api.get(f"/status/{job}").status_code == 404
    assert sim.jobs("ep")[0]["gone"] is True


@pytest.mark.parametrize(("query", "kept_seconds"), [("", 60), ("?wait=2000", 300)])
def test_a_result_of_runsync_is_kept_shorter(
    sim: SimulatorClient, api: httpx.Client, query: str, kept_seconds: int
) -> None:
    sim.behave("ep", mode="instant", output=1)
    job = api.post(f"/runsync{query}", json={"input": {"a": 1}}).json()
    assert job["id"].startswith("sync-")
    assert job["output"] == 1
    sim.advance(kept_seconds - 1)
    assert status(api, job["id"])["status"] == "COMPLETED"
    sim.advance(2)
    assert api.get(f"/status/{job['id']}").status_code == 404


def test_a_status_query_may_shorten_how_long_the_result_is_kept(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="instant", output=1)
    job = run(api)
    assert api.get(f"/status/{job}?ttl=5000").status_code == 200
    sim.advance(6)
    assert api.get(f"/status/{job}").status_code == 404


def test_ttl_counts_from_submission_and_deletes_even_a_running_job(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="script", run_ms=60_000, output=1)
    job = run(api, ttl=10_000)
    sim.advance(9)
    assert status(api, job)["status"] == "IN_PROGRESS"
    sim.advance(2)
    assert api.get(f"/status/{job}").status_code == 404


def test_runsync_returns_the_unfinished_job_when_its_wait_is_over(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.set_clock(manual=False)
    sim.behave("ep", mode="script", queue_ms=60_000, output=1)
    began = time.monotonic()
    reply = api.post("/runsync?wait=1000", json={"input": {"a": 1}}).json()
    assert 0.9 < time.monotonic() - began < 3
    assert reply["status"] == "IN_QUEUE"


def test_status_sync_answers_as_soon_as_the_job_ends(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="script", run_ms=20_000, output=1)
    job = run(api)
    answers: list[httpx.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(api.get(f"/status-sync/{job}")))
    waiting.start()
    time.sleep(0.1)
    assert answers == []
    sim.advance(20)
    waiting.join(5)
    assert answers[0].json()["output"] == 1


def test_a_stream_is_drained_by_reading_it(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", output=["a", "b"], stream=["a", "b"])
    job = run(api)
    first = api.get(f"/stream/{job}").json()
    assert first == {"status": "COMPLETED", "stream": [{"output": "a"}, {"output": "b"}]}
    assert api.post(f"/stream/{job}").json() == {"status": "COMPLETED", "stream": []}


def test_an_empty_stream_is_held_for_its_wait(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.set_clock(manual=False)
    job = run(api)
    began = time.monotonic()
    assert api.get(f"/stream/{job}?wait=1000").json() == {"status": "IN_QUEUE", "stream": []}
    assert time.monotonic() - began > 0.9
