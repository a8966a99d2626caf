"""Worker processes coming, dying, and refusing, as the platform sees them."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from infra.local.runpod.client import SimulatorClient
from infra.local.workers.environment import ensure_environment
from infra.local.workers.processes import start_worker, stop_worker

LARGE = {"prompt": "a wide sea", "width": 4096, "height": 3072, "num_inference_steps": 60}


def submit(sim: SimulatorClient, endpoint_id: str, given: dict[str, object]) -> str:
    reply = httpx.post(
        f"{sim.base_url}/{endpoint_id}/run",
        headers={"Authorization": sim.key},
        json={"input": given},
    )
    return str(reply.json()["id"])


def test_the_job_of_a_killed_worker_is_run_again_by_the_next_one(
    simulator: SimulatorClient, tmp_path: Path
) -> None:
    simulator.add_endpoint("doomed")
    first = start_worker("sdxl", "doomed", simulator.base_url, simulator.key, directory=tmp_path)
    try:
        submit(simulator, "doomed", LARGE)
        taken = simulator.wait_for(
            "doomed", lambda jobs: jobs[0]["status"] == "IN_PROGRESS", seconds=30
        )
    finally:
        stop_worker(first)
    second = start_worker("sdxl", "doomed", simulator.base_url, simulator.key, directory=tmp_path)
    try:
        simulator.advance(41)
        (job,) = simulator.wait_for("doomed", lambda jobs: jobs[0]["runs"] == 2, seconds=30)
    finally:
        stop_worker(second)
    assert job["retries"] == 1
    assert job["workerId"] != taken[0]["workerId"]


def test_a_job_without_input_is_refused_by_the_sdk_and_given_up(simulator: SimulatorClient) -> None:
    job_id = submit(simulator, "chatterbox", {})

    def ran(times: int) -> None:
        simulator.wait_for(
            "chatterbox", lambda jobs: next(j["runs"] for j in jobs if j["id"] == job_id) == times
        )

    ran(1)
    simulator.advance(41)
    ran(2)
    simulator.advance(41)
    jobs = simulator.jobs("chatterbox")
    job = next(job for job in jobs if job["id"] == job_id)
    assert job["status"] == "FAILED"
    assert job["error"] == "job timed out after 1 retries"


def test_an_idle_worker_is_counted_ready_by_its_pings(simulator: SimulatorClient) -> None:
    def ready() -> int:
        url, key = f"{simulator.base_url}/vllm-old/health", simulator.key
        workers = httpx.get(url, headers={"Authorization": key}).json()["workers"]
        return int(workers["ready"])

    def forgotten() -> bool:
        simulator.advance(41)
        return ready() == 0

    simulator.wait_for("vllm-old", lambda _: ready() == 1)
    assert any(forgotten() for _ in range(20)), "a ping came between each time"
    simulator.wait_for("vllm-old", lambda _: ready() == 1)


def test_a_worker_ends_with_the_process_that_started_it(
    simulator: SimulatorClient, tmp_path: Path
) -> None:
    simulator.add_endpoint("orphaned")
    program = f"""
from pathlib import Path
from infra.local.workers.processes import start_worker
url, key, home = {simulator.base_url!r}, {simulator.key!r}, Path({str(tmp_path)!r})
print(start_worker("vllm", "orphaned", url, key, directory=home).pid)
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    worker = psutil.Process(int(output))
    psutil.wait_procs([worker], timeout=30)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_an_environment_that_is_up_to_date_is_left_alone() -> None:
    ensure_environment()
    began = time.monotonic()
    assert ensure_environment().name == "python"
    assert time.monotonic() - began < 0.5
