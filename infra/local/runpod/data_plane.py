"""The job API under `/v2/{endpoint}/...` (runpod.md 1)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from infra.local.runpod.endpoint import Endpoint
from infra.local.runpod.jobs import Job, status_view
from infra.local.runpod.lifecycle import NotAllowed
from infra.local.runpod.rates import check_queue
from infra.local.runpod.simulator import Simulator, json_reply
from infra.local.runpod.submission import BadRequest, read_submission

RUNSYNC_WAIT_MS = (90_000, 1_000, 300_000)
STATUS_SYNC_WAIT_MS = (90_000, 1_000, 90_000)
STREAM_WAIT_MS = (10_000, 1_000, 300_000)
"""Default, least and most of `?wait` in ms."""

BEFORE_REPLY_LIMIT_SECONDS = 10.0
"""Real seconds for which F2 before_reply may hold the answer of /run."""

Handler = Callable[[web.Request], Awaitable[web.Response]]


class DataPlane:
    """Handlers of the job API."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    def routes(self) -> list[web.RouteDef]:
        prefix = "/v2/{endpoint}"
        routes = [
            web.post(f"{prefix}/run", self._guard("run", self._run)),
            web.get(f"{prefix}/status/{{job}}", self._guard("status", self._status)),
            web.post(f"{prefix}/status/{{job}}", self._guard("status", self._status)),
            web.post(f"{prefix}/runsync", self._guard("runsync", self._runsync)),
            web.post(f"{prefix}/cancel/{{job}}", self._guard("cancel", self._cancel)),
            web.post(f"{prefix}/retry/{{job}}", self._guard("retry", self._retry)),
            web.post(f"{prefix}/purge-queue", self._guard("purge-queue", self._purge)),
            web.get(f"{prefix}/health", self._guard("health", self._health)),
            web.get(f"{prefix}/requests", self._guard("requests", self._requests)),
        ]
        for method in (web.get, web.post):
            stream = self._guard("stream", self._stream)
            held = self._guard("status", self._status_sync)
            routes.append(method(f"{prefix}/stream/{{job}}", stream))
            routes.append(method(f"{prefix}/status-sync/{{job}}", held))
        return routes

    def _guard(
        self,
        operation: str,
        handle: Callable[[web.Request, Endpoint], Awaitable[web.Response]],
    ) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            endpoint = self._sim.admit(request)
            with self._sim.rates.counted(endpoint, operation):
                return await handle(request, endpoint)

        return guarded

    async def _run(self, request: web.Request, endpoint: Endpoint) -> web.Response:
        job, refusal = await self._submit(request, endpoint, sync=False)
        if refusal is not None or job is None:
            return refusal or web.Response(status=500)
        if self._sim.faults.of(job, "F4") is not None:
            return _drop_connection(request)
        timing = self._sim.faults.of(job, "F2")
        if timing is not None and timing["variant"] == "before_reply" and job.webhook:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEFORE_REPLY_LIMIT_SECONDS):
                    await self._sim.webhooks.deliver_now(job)
        return json_reply({"id": job.id, "status": "IN_QUEUE"})

    async def _runsync(self, request: web.Request, endpoint: Endpoint) -> web.Response:
        wait = _wait_seconds(request, RUNSYNC_WAIT_MS)
        job, refusal = await self._submit(request, endpoint, sync=True)
        if refusal is not None or job is None:
            return refusal or web.Response(status=500)
        if self._sim.faults.of(job, "F4") is not None:
            return _drop_connection(request)
        await self._until_terminal(job, wait)
        return json_reply(status_view(job))

    async def _submit(
        self, request: web.Request, endpoint: Endpoint, *, sync: bool
    ) -> tuple[Job | None, web.Response | None]:
        check_queue(endpoint)
        body = await request.read()
        try:
            submission = read_submission(
                body, endpoint.settings, sync=sync, has_wait="wait" in request.query
            )
        except BadRequest as problem:
            return None, web.Response(text=str(problem), status=400)
        index = endpoint.submitted
        endpoint.submitted += 1
        refusal = self._sim.faults.strike("F5", endpoint_id=endpoint.id, index=index)
        if refusal is None:
            return self._sim.lifecycle.submit(endpoint, submission, index=index), None
        endpoint.counters["refused"] += 1
        if refusal["created"]:
            self._sim.lifecycle.submit(endpoint, submission, index=index)
        return None, await self._refuse(request, refusal)

    async def _refuse(self, request: web.Request, refusal: dict[str, Any]) -> web.Response:
        """F5: a gateway's error page, too many requests, or silence."""
        if refusal["variant"] == "timeout":
            await self._sim.clock.sleep(refusal["seconds"])
            return _drop_connection(request)
        if refusal["variant"] == "429":
            return web.Response(text="Too Many Requests", status=429)
        return _gateway_error(502)

    async def _status(self, request: web.Request, endpoint: Endpoint) -> web.Response:
        job = self._sim.find(endpoint, request.match_info["job"])
        outage = self._outage(job)
        if outage is not None:
            return outage
        ttl_ms = request.query.get("ttl", "")
        if ttl_ms.isdigit() and job.finished_at is not None:
            shorter = self._sim.clock.now() + int(ttl_ms) / 1000
            endpoint.expire_at(job, min(job.expires_at, shorter))
        return json_reply(status_view(job))

    def _outage(self, job: Job) -> web.Response | None:
        """F17: from the first look on, /status of this job fails for some time."""
        outage = self._sim.faults.of(job, "F17")
        if outage is None:
            return None
        now = self._sim.clock.now()
        if job.broken_until is None:
            job.broken_until = now + outage["seconds"]
        return _gateway_error(int(outage["variant"])) if now < job.broken_until else None

    async def _status_sync(self, request: web.Request, endpoint: Endpoint) -> web.Response:
        job = self._sim.find(endpoint, request.match_info["job"])
        await self._until_terminal(job, _wait_seconds(request, STATUS_SYNC_WAIT_MS))
        return await self._status(request, endpoint)

    async def _stream(self, request: web.Request, endpoint: Endpoint) -> web.Response:
        job = self._sim.find(endpoint, request.match_info["job"])
        deadline = self._sim.clock.now() + _wait_seconds(request, STREAM_WAIT_MS)
        while not (job.stream or job.terminal or job.gone):
            if not await self._sim.clock.wait(job.changed(), deadline - self._sim.clock.now()):
                break
        chunks, job.stream = job.stream, []
        drained = [{"output": chunk} for chunk in chunks]
        return json_reply({"status": status_view(job)["status"], "stream": drained})

    async def _cancel(self, request: web.Request, endpoint: Endpoint) -> web.Response:
        job = self._sim.find(endpoint, request.match_info["job"])
        try:
            answer = self._sim.lifecycle.cancel(endpoint, job)
        except NotAllowed as problem:
            return web.Response(text=f"bad request: {problem}", status=400)
        return json_reply({"id": job.id, "status": answer})

    async def _retry(self, request: web.Request, endpoint: Endpoint) -> web.Response:
        job = self._sim.find(endpoint, request.match_info["job"])
        try:
            self._sim.lifecycle.retry(endpoint, job)
        except NotAllowed as problem:
            return web.Response(text=f"bad request: {problem}", status=400)
        return json_reply({"id": job.id, "status": "IN_QUEUE"})

    async def _purge(self, _: web.Request, endpoint: Endpoint) -> web.Response:
        removed = self._sim.lifecycle.purge(endpoint)
        return json_reply({"removed": removed, "status": "completed"})

    async def _health(self, _: web.Request, endpoint: Endpoint) -> web.Response:
        return json_reply(endpoint.health(self._sim.clock.now()))

    async def _requests(self, _: web.Request, endpoint: Endpoint) -> web.Response:
        recent = [
            {"id": job.id, "status": job.status, "createdAt": int(job.created_at * 1000)}
            for job in list(endpoint.jobs.values())[-100:]
        ]
        return json_reply({"requests": recent})

    async def _until_terminal(self, job: Job, seconds: float) -> None:
        deadline = self._sim.clock.now() + seconds
        while not (job.terminal or job.gone):
            if not await self._sim.clock.wait(job.changed(), deadline - self._sim.clock.now()):
                return


def _wait_seconds(request: web.Request, bounds_ms: tuple[int, int, int]) -> float:
    default, least, most = bounds_ms
    text = request.query.get("wait", "")
    return min(most, max(least, int(text) if text.isdigit() else default)) / 1000


def _gateway_error(status: int) -> web.Response:
    page = f"<html><head><title>{status}</title></head><body>cloudflare</body></html>"
    return web.Response(text=page, status=status, content_type="text/html")


def _drop_connection(request: web.Request) -> web.Response:
    """Cut the connection without an answer, as a proxy that dies does."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
