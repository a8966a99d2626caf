"""The protocol that worker processes built on RunPod's SDK speak (runpod.md 6.3)."""

import asyncio
import contextlib
import json
from typing import Any

from aiohttp import web

from infra.local.runpod.endpoint import Endpoint, Worker
from infra.local.runpod.jobs import ABSENT, Job
from infra.local.runpod.simulator import Simulator, json_reply

JSON = dict[str, Any]


class WorkerProtocol:
    """Handlers that worker processes call."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    def routes(self) -> list[web.RouteDef]:
        prefix = "/v2/{endpoint}"
        return [
            web.get(f"{prefix}/job-take/{{worker}}", self._take),
            web.get(f"{prefix}/job-take-batch/{{worker}}", self._take_batch),
            web.get(f"{prefix}/job-stop/{{worker}}", self._stop),
            web.post(f"{prefix}/job-done/{{worker}}/{{job}}", self._done),
            web.post(f"{prefix}/job-stream/{{worker}}/{{job}}", self._stream),
            web.get(f"{prefix}/ping/{{worker}}", self._ping),
        ]

    def _enter(self, request: web.Request) -> tuple[Endpoint, Worker]:
        endpoint = self._sim.admit(request)
        worker_id = request.match_info["worker"]
        return endpoint, endpoint.worker(worker_id, now=self._sim.clock.now())

    async def _take(self, request: web.Request) -> web.Response:
        jobs = await self._wait_for_jobs(request, limit=1)
        return json_reply(jobs[0]) if jobs else web.Response(status=204)

    async def _take_batch(self, request: web.Request) -> web.Response:
        jobs = await self._wait_for_jobs(request, limit=int(request.query["batch_size"]))
        return json_reply(jobs) if jobs else web.Response(status=204)

    async def _wait_for_jobs(self, request: web.Request, *, limit: int) -> list[JSON]:
        endpoint, worker = self._enter(request)
        deadline = asyncio.get_running_loop().time() + endpoint.settings.hold_seconds
        while True:
            jobs = self._hand_out(endpoint, worker, limit)
            patience = deadline - asyncio.get_running_loop().time()
            if jobs or patience <= 0:
                return jobs
            await self._next_job(endpoint, patience)
            endpoint = self._sim.endpoints[endpoint.id]

    async def _next_job(self, endpoint: Endpoint, patience: float) -> None:
        """Wait until a job may be there; a worker that hangs up hands its turn on."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        endpoint.takers.append(turn)
        try:
            await asyncio.wait({turn}, timeout=patience)
        except asyncio.CancelledError:
            if turn.done():
                endpoint.wake_taker()
            raise
        finally:
            turn.cancel()

    def _hand_out(self, endpoint: Endpoint, worker: Worker, limit: int) -> list[JSON]:
        self._sim.lifecycle.sweep(endpoint)
        jobs = endpoint.take(limit)
        for job in jobs:
            worker.running.add(job.id)
            self._sim.lifecycle.start(endpoint, job, worker.id)
            self._sim.lifecycle.limit(endpoint, job)
            self._sim.lifecycle.watch(endpoint, job)
        return [_job_for_worker(job) for job in jobs]

    async def _stop(self, request: web.Request) -> web.Response:
        endpoint, worker = self._enter(request)
        if not worker.to_stop:
            worker.stop_wanted.clear()
            with contextlib.suppress(TimeoutError):
                hold = endpoint.settings.hold_seconds
                await asyncio.wait_for(worker.stop_wanted.wait(), hold)
        job_ids, worker.to_stop = worker.to_stop, []
        return json_reply({"jobsToStop": job_ids}) if job_ids else web.Response(status=204)

    async def _done(self, request: web.Request) -> web.Response:
        endpoint, worker = self._enter(request)
        job = _known(endpoint, request)
        body = await request.read()
        if len(body) > endpoint.settings.result_limit:
            self._sim.lifecycle.finish(endpoint, job)
            return web.Response(text="bad request: result too large", status=400)
        try:
            result: JSON = json.loads(body)
        except ValueError:
            return web.Response(text="bad request: body: not valid JSON", status=400)
        if result.get("status") == "IN_PROGRESS":
            self._sim.lifecycle.progress(job, result.get("output"))
        elif job.worker_id == worker.id:
            self._sim.lifecycle.finish(
                endpoint, job, output=result.get("output", ABSENT), error=result.get("error")
            )
        return json_reply({})

    async def _stream(self, request: web.Request) -> web.Response:
        endpoint, _ = self._enter(request)
        job = _known(endpoint, request)
        chunk = json.loads(await request.read())
        if not job.terminal:
            job.heard_at = self._sim.clock.now()
            job.stream.append(chunk.get("output"))
            job.wake()
        return json_reply({})

    async def _ping(self, request: web.Request) -> web.Response:
        endpoint, worker = self._enter(request)
        for job_id in request.query.get("job_id", "").split(","):
            job = endpoint.jobs.get(job_id)
            if job is not None and job_id in worker.running:
                job.heard_at = self._sim.clock.now()
        return json_reply({})


def _known(endpoint: Endpoint, request: web.Request) -> Job:
    """The job that a worker reports on.

    Raises:
        web.HTTPNotFound: the platform forgot it meanwhile.
    """
    job = endpoint.jobs.get(request.match_info["job"])
    if job is None:
        raise web.HTTPNotFound(text="job not found")
    return job


def _job_for_worker(job: Job) -> JSON:
    """What a worker is handed: an empty input is left out, which the SDK refuses."""
    handed: JSON = {"id": job.id}
    if job.input:
        handed["input"] = job.input
    if job.s3_config is not None:
        handed["s3Config"] = job.s3_config
    return handed
