"""Any one process is killed while many runs are in flight, and nothing is lost or paid twice.

The platform is the real one: every function under functions-framework, its own processes.
"""

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text

from infra.local.platform import Options, Platform
from infra.local.ports import free_port
from infra.local.runpod.client import SimulatorClient
from tests.world import PROMPT_SCHEMA, SDXL_OUTPUT

RUNS = int(os.environ.get("SURVIVAL_RUNS", "100"))  # 200 are as good, and take twice the time
PRICE = 2
ENDPOINT = "local-sdxl"
# With these the longest life of an attempt is 80 s; a run's own bound is 3 attempts and 5 minutes.
QUEUE_SECONDS, TIMEOUT_SECONDS = 10, 10
KILLED = (
    "marketplace",
    "callback",
    "tasks",
    "cleanup",
    "tasks-queue",
    "storage",
    "gateway",
    "postgres",
    "runpod",
)


@dataclass
class Installation:
    """A running platform with a published model and a rich consumer."""

    platform: Platform
    slug: str
    consumer: dict[str, str]
    consumer_id: str

    def sql(self, statement: str) -> list[Any]:
        """Reads the database as its owner."""
        assert self.platform.postgres is not None
        engine = create_engine(
            self.platform.postgres.url("tarsify"), connect_args={"ssl_context": False}
        )
        with engine.connect() as connection:
            rows = list(connection.execute(text(statement)))
        engine.dispose()
        return rows


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("platform")
    options = Options(
        folder=folder,
        port=free_port(),
        durable=False,
        workers=False,
        seconds_between_sweeps=1,
        environment={},
    )
    platform = Platform(options)
    try:
        platform.start()
        yield _furnish(platform)
    finally:
        platform.stop()


def _furnish(platform: Platform) -> Installation:
    staff = {"Authorization": f"Bearer {platform.staff_token}"}
    developer = {"Authorization": f"Bearer {platform.token('tarsify-studio', 'dana')}"}
    consumer = {"Authorization": f"Bearer {platform.token('tarsify-users', 'alice')}"}

    def post(path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        response = requests.post(platform.url + path, json=body, headers=headers, timeout=30)
        assert response.ok, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    endpoint = post(
        "/api/admin/endpoints",
        {"runpodEndpointId": ENDPOINT, "name": "SDXL", "gpuType": "A40"},
        staff,
    )
    base = post(
        "/api/admin/base-models",
        {
            "endpointId": endpoint["id"],
            "slug": "base",
            "name": "Base",
            "category": "IMAGE",
            "inputSchema": PROMPT_SCHEMA,
            "outputType": "IMAGE",
            "outputFormat": "png",
            "outputAdapter": "sdxl",
            "queueSeconds": QUEUE_SECONDS,
            "executionTimeoutSeconds": TIMEOUT_SECONDS,
        },
        staff,
    )
    post("/api/studio/auth/register", {"email": ""}, developer)
    model = post(
        "/api/studio/tars-models",
        {
            "baseModelId": base["id"],
            "title": "Pictures",
            "slug": "pictures",
            "priceCredits": PRICE,
        },
        developer,
    )
    post(f"/api/studio/tars-models/{model['id']}/publish", {"action": "publish"}, developer)
    account = post("/api/marketplace/auth/register", {}, consumer)
    post(
        "/api/admin/credits/grants",
        {
            "consumerId": account["id"],
            "credits": 100_000,
            "reason": "a test",
            "reference": str(uuid.uuid4()),
        },
        staff,
    )
    return Installation(platform, "pictures", consumer, account["id"])


def _behave(platform: Platform) -> None:
    """Jobs take a second and a half, so that many are in flight at any moment."""
    client = SimulatorClient(platform.simulator_url, key="local-runpod-key")
    client.behave(ENDPOINT, mode="script", run_ms=1500, output=SDXL_OUTPUT)
    client.close()


def _start(installation: Installation, key: str) -> str:
    """One click, repeated with the same key until it is answered, as a good client does."""
    url = f"{installation.platform.url}/api/marketplace/models/{installation.slug}/run"
    headers = {**installation.consumer, "Idempotency-Key": key}
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at:
        try:
            response = requests.post(
                url, json={"inputs": {"prompt": key}}, headers=headers, timeout=20
            )
            if response.status_code == 201:
                return str(response.json()["data"]["executionId"])
            assert response.status_code >= 500, response.text
        except requests.RequestException:
            pass  # the front door itself may be the one that was killed
        time.sleep(0.2)
    raise AssertionError("a start was not answered for 60 s")


def _kill(platform: Platform, name: str) -> None:
    if name == "postgres":
        assert platform.postgres is not None
        platform.postgres.kill()
        return
    os.killpg(platform.supervisor.pid(name), signal.SIGKILL)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", KILLED)
def test_every_click_is_one_run_although_a_process_is_killed(
    installation: Installation, name: str
) -> None:
    platform = installation.platform
    _behave(platform)
    before = installation.sql("SELECT count(*) FROM executions")[0][0]
    with ThreadPoolExecutor(16) as threads:
        starts = [threads.submit(_start, installation, f"{name}-{n}") for n in range(RUNS)]
        while sum(start.done() for start in starts) < RUNS // 3:
            time.sleep(0.02)
        _kill(platform, name)
        if name == "runpod":
            _wait_until_it_behaves_again(platform)
        started = {start.result() for start in starts}

    assert len(started) == RUNS
    assert installation.sql("SELECT count(*) FROM executions")[0][0] == before + RUNS


@pytest.mark.timeout(420)
def test_after_all_these_deaths_every_run_ended_in_time_and_was_paid_at_most_once(
    installation: Installation,
) -> None:
    _wait_until_all_ended(installation, seconds=300)

    assert installation.sql("SELECT count(*) FROM executions")[0][0] == RUNS * len(KILLED)
    assert installation.sql("SELECT * FROM ledger.violation") == []
    assert installation.sql("SELECT * FROM execution_violation") == []
    late = installation.sql("SELECT count(*) FROM executions WHERE finished_at > expires_at")
    assert late[0][0] == 0
    captures = installation.sql(
        "SELECT count(*) FROM ledger.transfer WHERE kind = 'capture_developer'"
    )
    completed = installation.sql("SELECT count(*) FROM executions WHERE status = 'COMPLETED'")
    assert captures == completed


def _wait_until_it_behaves_again(platform: Platform) -> None:
    """The simulator forgot everything with its process: tell it again how jobs go."""
    threading.Event().wait(1.5)
    platform.supervisor.wait_ready("runpod")
    _behave(platform)


def _wait_until_all_ended(installation: Installation, *, seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    live = -1
    while time.monotonic() < ends_at:
        live = installation.sql("SELECT count(*) FROM executions WHERE phase <> 'done'")[0][0]
        if live == 0:
            return
        time.sleep(0.5)
    raise AssertionError(f"{live} executions are still alive after {seconds} s")
