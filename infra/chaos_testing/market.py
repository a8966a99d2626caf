"""What the load buys from: models with GPUs of different temper, and consumers with credits."""

from __future__ import annotations

import random
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from infra.calling import Caller
from infra.local.platform import DEVELOPERS_PROJECT, SIMULATOR_KEY, USERS_PROJECT, Platform
from infra.local.runpod.client import SimulatorClient

CONSUMERS, GRANT, PRICE = 8, 100_000, 3
# With these the longest life of an attempt is 80 s; a run's own bound is 3 attempts and 5 minutes.
QUEUE_SECONDS, TIMEOUT_SECONDS = 10, 10
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
OUTPUT = {"images": [PIXEL], "image_url": PIXEL, "seed": 7}
INPUT_SCHEMA = {
    "type": "object",
    "required": ["prompt"],
    "additionalProperties": False,
    "properties": {"prompt": {"type": "string", "minLength": 1, "maxLength": 200}},
}
STEADY = "steady"
FAILING_SHARE = 0.25
SECONDS_BETWEEN_MOODS = 0.5


@dataclass(frozen=True)
class Buyer:
    """A consumer: id in the database, and token."""

    id: str
    token: str


@dataclass(frozen=True)
class Market:
    """Slugs of published models (the first never fails by itself) and consumers."""

    slugs: list[str]
    buyers: list[Buyer]


def furnish(platform: Platform, *, consumers: int = CONSUMERS) -> Market:
    """Publishes one model an endpoint and registers the consumers. Raises CallFailed."""
    staff = Caller(platform.url, platform.staff_token)
    developer = Caller(platform.url, platform.token(DEVELOPERS_PROJECT, "dana"))
    developer.call("POST", "/api/studio/auth/register", {})
    slugs = [STEADY, *(f"moody-{n}" for n in range(1, len(platform.endpoints)))]
    for slug, endpoint in zip(slugs, platform.endpoints.values(), strict=True):
        _publish(staff, developer, slug, endpoint)
    return Market(slugs, [_buyer(platform, staff, number) for number in range(consumers)])


def _publish(staff: Caller, developer: Caller, slug: str, runpod_endpoint: str) -> None:
    endpoint = staff.call(
        "POST",
        "/api/admin/endpoints",
        {"runpodEndpointId": runpod_endpoint, "name": slug, "gpuType": "A40"},
    )
    base = staff.call("POST", "/api/admin/base-models", _base_model(slug, endpoint["id"]))
    model = {"baseModelId": base["id"], "title": slug, "slug": slug, "priceCredits": PRICE}
    made = developer.call("POST", "/api/studio/tars-models", model)
    developer.call("POST", f"/api/studio/tars-models/{made['id']}/publish", {"action": "publish"})


def _base_model(slug: str, endpoint_id: str) -> dict[str, Any]:
    return {
        "endpointId": endpoint_id,
        "slug": f"base-{slug}",
        "name": slug,
        "category": "IMAGE",
        "inputSchema": INPUT_SCHEMA,
        "outputType": "IMAGE",
        "outputFormat": "png",
        "outputAdapter": "sdxl",
        "queueSeconds": QUEUE_SECONDS,
        "executionTimeoutSeconds": TIMEOUT_SECONDS,
    }


def _buyer(platform: Platform, staff: Caller, number: int) -> Buyer:
    token = platform.token(USERS_PROJECT, f"buyer-{number}")
    account = Caller(platform.url, token).call("POST", "/api/marketplace/auth/register", {})
    grant = {
        "consumerId": account["id"],
        "credits": GRANT,
        "reason": "chaos",
        "reference": str(uuid.uuid4()),
    }
    staff.call("POST", "/api/admin/credits/grants", grant)
    return Buyer(account["id"], token)


class Moods:
    """Changes twice a second how long GPUs take and whether they fail, all but the first one.

    It also puts a simulator right that was restarted and has forgotten everything.
    """

    def __init__(self, platform: Platform, seed: int) -> None:
        self._steady, *self._moody = platform.endpoints.values()
        self._simulator = SimulatorClient(platform.simulator_url, key=SIMULATOR_KEY)
        self._random = random.Random(seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._change, daemon=True)

    def start(self) -> None:
        self._set()
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(timeout=10)
        self._simulator.close()

    def _change(self) -> None:
        while not self._ending.wait(SECONDS_BETWEEN_MOODS):
            with suppress(httpx.HTTPError, ValueError):  # its process may have been killed
                self._set()

    def _set(self) -> None:
        self._simulator.behave(self._steady, mode="script", run_ms=300, output=OUTPUT)
        for endpoint in self._moody:
            run_ms = self._random.randint(50, 2500)
            fails = self._random.random() < FAILING_SHARE
            ends = {"error": "CUDA error: out of memory"} if fails else {"output": OUTPUT}
            queue_ms = self._random.choice([0, 0, 400])
            self._simulator.behave(
                endpoint, mode="script", run_ms=run_ms, queue_ms=queue_ms, **ends
            )
