"""The simulator's whole state, and who may enter it."""

import hmac
import json
from typing import Any

from aiohttp import web

from infra.local.runpod import scripted
from infra.local.runpod.clock import Clock
from infra.local.runpod.endpoint import Endpoint, Settings
from infra.local.runpod.faults import Faults
from infra.local.runpod.jobs import Job
from infra.local.runpod.lifecycle import Lifecycle
from infra.local.runpod.rates import Rates
from infra.local.runpod.webhooks import Webhooks


def json_reply(body: Any, *, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(
        body=json.dumps(body).encode(), status=status, content_type="application/json"
    )


JOB_NOT_FOUND = {"status": 404, "title": "Not Found", "detail": "job not found"}


class Simulator:
    """Endpoints, clock, faults and webhooks of one simulated RunPod account."""

    def __init__(
        self, *, key: str, seed: int = 0, time_scale: float = 1.0, manual_clock: bool = False
    ) -> None:
        self.key = key
        self.base_url = ""
        self.clock = Clock(scale=time_scale, manual=manual_clock)
        self.faults = Faults(seed)
        self.webhooks = Webhooks(self.clock, self.faults)
        self.rates = Rates(self.clock)
        self.endpoints: dict[str, Endpoint] = {}
        self.lifecycle = Lifecycle(
            self.clock,
            self.faults,
            self.webhooks,
            begin_script=scripted.begin,
            media_url=lambda: f"{self.base_url}/media",
        )

    def add_endpoint(
        self, endpoint_id: str, *, key: str | None = None, settings: Settings | None = None
    ) -> Endpoint:
        """Register an endpoint, or replace its key and settings."""
        endpoint = self.endpoints.get(endpoint_id)
        if endpoint is None:
            endpoint = Endpoint(endpoint_id, key=key, settings=settings or Settings())
            self.endpoints[endpoint_id] = endpoint
        endpoint.key = key
        endpoint.settings = settings or endpoint.settings
        return endpoint

    def reset(self) -> None:
        """Forget jobs, faults, behaviours and timers; keep endpoint ids, keys and settings."""
        self.faults.reset()
        self.clock.clear()
        self.rates.reset()
        for known in list(self.endpoints.values()):
            for job in list(known.jobs.values()):
                self.lifecycle.forget(known, job)
            fresh = Endpoint(known.id, key=known.key, settings=known.settings)
            fresh.workers, fresh.takers = known.workers, known.takers
            self.endpoints[known.id] = fresh

    def admit(self, request: web.Request) -> Endpoint:
        """The endpoint of the request's path, if its key opens it.

        Raises:
            web.HTTPUnauthorized: no key, or a wrong one.
            web.HTTPNotFound: no such endpoint.
        """
        endpoint = self.endpoints.get(request.match_info["endpoint"])
        wanted = self.key if endpoint is None or endpoint.key is None else endpoint.key
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise web.HTTPUnauthorized(text="Unauthorized")
        if endpoint is None:
            raise web.HTTPNotFound(
                text='{"detail":"endpoint not found"}', content_type="application/json"
            )
        self.lifecycle.sweep(endpoint)
        return endpoint

    def find(self, endpoint: Endpoint, job_id: str) -> Job:
        """The job, if the platform knows it (runpod.md 1.5).

        Raises:
            web.HTTPNotFound: unknown, expired, or not propagated yet (F13).
        """
        job = endpoint.jobs.get(job_id)
        if job is None or (job.hidden_until and self.clock.now() < job.hidden_until):
            raise web.HTTPNotFound(text=json.dumps(JOB_NOT_FOUND), content_type="application/json")
        return job
