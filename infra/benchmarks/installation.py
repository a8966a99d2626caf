"""The platform that is measured: every function, a durable PostgreSQL, a stocked market."""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.benchmarks.http import prepared
from infra.calling import Caller
from infra.local.platform import QUEUES, SIMULATOR_KEY, Options, Platform
from infra.local.ports import HOST, free_port
from infra.local.runpod.client import SimulatorClient
from infra.local.supervisor import Service, until
from infra.seeding import Admin, seed

MODELS, CONSUMERS, GRANT = 40, 64, 1_000_000
REMEMBERED = 8_000
BASE, ENDPOINT = "vllm-chat", "RUNPOD_EP_VLLM"
# What the worker says of a short answer (runpod.md 5.3): text, so that no media is stored.
ANSWER = [{"choices": [{"tokens": ["A fox lit a lantern."]}], "usage": {"input": 7, "output": 6}}]
INSTANT = {"mode": "instant", "output": ANSWER}
ENDLESS = {"mode": "script", "run_ms": 3_600_000}
PROMPT = {"inputs": {"prompt": "a fox and a lantern"}}


class Installation:
    """A running platform with models on offer, consumers with credits, and runs to look at."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.simulator = SimulatorClient(platform.simulator_url, key=SIMULATOR_KEY)
        self.slugs: list[str] = []
        self.tokens: list[str] = []
        self.keys: list[str] = []
        self.runs: list[tuple[str, str]] = []  # (token, execution id)

    @property
    def database_url(self) -> str:
        assert self.platform.postgres is not None
        return self.platform.postgres.url("tarsify")

    @property
    def postgres_pid(self) -> int:
        assert self.platform.postgres is not None
        pid = self.platform.postgres.pid()
        assert pid is not None
        return pid

    def stock(self) -> None:
        """Publishes models, registers consumers, gives them credits."""
        platform = self.platform
        bases = seed(Admin(platform.url, platform.staff_token), platform.endpoints)
        developer = Caller(platform.url, platform.token("tarsify-studio", "bench-developer"))
        developer.call("POST", "/api/studio/auth/register", {})
        self.slugs = [_published(developer, bases[BASE], number) for number in range(MODELS)]
        staff = Caller(platform.url, platform.staff_token)
        # Starts that are only begun pile up: what is measured is no consumer's turn.
        limits = {"concurrentRuns": 10_000, "newAccountDays": 0, "newAccountCentsPerDay": 0}
        staff.call("PUT", "/api/admin/limits", limits)
        for number in range(CONSUMERS):
            token = platform.token("tarsify-users", f"bench-consumer-{number}")
            consumer = Caller(platform.url, token)
            account = consumer.call("POST", "/api/marketplace/auth/register", {})
            staff.call("POST", "/api/admin/credits/grants", _grant(account["id"]))
            self.tokens.append(token)
            order = {"name": "bench", "scopes": ["runs:write"]}
            self.keys.append(str(consumer.call("POST", "/api/marketplace/keys", order)["key"]))

    def run_some(self) -> None:
        """One run of each consumer: half of them wait for a GPU, half are done."""
        for behaviour, tokens in ((INSTANT, self.tokens[::2]), (ENDLESS, self.tokens[1::2])):
            self.workers(behaviour)
            for token in tokens:
                started = Caller(self.platform.url, token).call(
                    "POST", f"/api/marketplace/models/{self.slugs[0]}/run", PROMPT
                )
                self.runs.append((token, started["executionId"]))
        until(self._half_done, seconds=30, what="the runs to look at")

    def _half_done(self) -> bool:
        seen = [
            Caller(self.platform.url, token).call("GET", f"/api/marketplace/runs/{run}/status")
            for token, run in self.runs[: CONSUMERS // 2]
        ]
        return all(run["status"] == "COMPLETED" for run in seen)

    def workers(self, behaviour: dict[str, Any]) -> None:
        """What the simulator does with jobs from now on."""
        self.simulator.behave(self.platform.endpoints[ENDPOINT], behaviour)

    def drop_alarms(self) -> None:
        """Forgets alarms that would ring in the middle of the next measure."""
        import grpc
        from google.cloud import tasks_v2
        from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

        address = f"{HOST}:{self.platform.ports['tasks-queue']}"
        with grpc.insecure_channel(address) as channel:
            client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
            for name in QUEUES:
                client.purge_queue(name=name, timeout=60)

    def browse(self) -> list[bytes]:
        return [prepared("GET", "/models")]

    def details(self) -> list[bytes]:
        return [prepared("GET", f"/models/{slug}") for slug in self.slugs]

    def statuses(self) -> list[bytes]:
        return [prepared("GET", f"/runs/{run}/status", token=token) for token, run in self.runs]

    def starts(self) -> list[bytes]:
        return [
            prepared("POST", f"/models/{slug}/run", token=token, body=PROMPT)
            for token, slug in zip(self.tokens, self.slugs * 2, strict=False)
        ]

    def starts_by_key(self) -> list[bytes]:
        return [
            prepared("POST", f"/models/{slug}/run", token=key, body=PROMPT)
            for key, slug in zip(self.keys, self.slugs * 2, strict=False)
        ]

    def remembered_starts(self, *, by_key: bool = False) -> list[bytes]:
        """Each under a key of its own: more than one burst can send."""
        mark, callers = uuid.uuid4().hex[:8], self.keys if by_key else self.tokens
        return [
            prepared(
                "POST",
                f"/models/{self.slugs[number % MODELS]}/run",
                token=callers[number % CONSUMERS],
                body=PROMPT,
                headers={"Idempotency-Key": f"{mark}-{number}"},
            )
            for number in range(REMEMBERED)
        ]


@contextmanager
def installation() -> Iterator[Installation]:
    """A fresh platform in a folder of its own, with the yardstick beside it."""
    with tempfile.TemporaryDirectory(prefix="tarsify-bench-") as folder:
        given = {n: v for n, v in os.environ.items() if n not in {"DATABASE_URL", "RUNPOD_API_KEY"}}
        settings: dict[str, str] = {}
        platform = Platform(
            Options(
                folder=Path(folder),
                port=free_port(),
                workers=False,
                seconds_between_sweeps=86_400,
                environment=given,
                settings=settings,
            )
        )
        # Webhooks go straight to the callback function, as all measured calls do.
        settings["PUBLIC_URL"] = platform.function_url("callback")
        try:
            platform.start()
            platform.supervisor.start(
                [
                    empty_function(platform),
                    other_marketplace(platform, "fresh", CATALOGUE_SECONDS="0"),
                    other_marketplace(platform, "unlimited", RATE_LIMIT_SCALE="0"),
                ]
            )
            ready = Installation(platform)
            ready.stock()
            ready.run_some()
            yield ready
        finally:
            platform.stop()


def empty_function(platform: Platform) -> Service:
    """The yardstick, with the same server settings as the functions."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "functions_framework", "--target", "empty"),
        *("--source", "infra/benchmarks/empty.py", "--host", HOST, "--port", str(port)),
    ]
    return Service("empty", command, port, platform.supervisor.service("marketplace").environment)


def other_marketplace(platform: Platform, name: str, **settings: str) -> Service:
    """A marketplace that is told something else, to show what that costs or saves."""
    usual, port = platform.supervisor.service("marketplace"), free_port()
    command = [str(port) if part == str(usual.port) else part for part in usual.command]
    return Service(name, command, port, {**usual.environment, **settings})


def _published(developer: Caller, base_model_id: str, number: int) -> str:
    body = {
        "baseModelId": base_model_id,
        "title": f"Storyteller {number}",
        "slug": f"storyteller-{number}",
        "description": "Tells short stories about whatever is asked for.",
        "priceCredits": 3,
        "configOverrides": {"promptPrefix": "Tell a short story about: "},
    }
    made = developer.call("POST", "/api/studio/tars-models", body)
    developer.call("POST", f"/api/studio/tars-models/{made['id']}/publish", {"action": "publish"})
    return str(made["slug"])


def _grant(consumer_id: str) -> dict[str, Any]:
    return {
        "consumerId": consumer_id,
        "credits": GRANT,
        "reason": "benchmark",
        "reference": str(uuid.uuid4()),
    }
