"""Webhook delivery as captured from the service (runpod.md 2.4), and faults F1 to F3 and F20.

Calls are made at +0, +5 and +20 s of simulated time, until one is answered 2xx. Nothing is
signed; the URL is the only credential.
"""

import asyncio
import io
import json
import secrets
from typing import Any

import aiohttp

from infra.local.runpod.clock import Clock
from infra.local.runpod.faults import Faults
from infra.local.runpod.jobs import Job, WebhookAttempt, new_id, webhook_view

JSON = dict[str, Any]

RECEIVER_TIMEOUT_SECONDS = 10.0
"""Real seconds. The service's own limit is unknown (runpod.md 2.4)."""
SENT_WHOLE = 1024 * 1024
"""Bytes up to which a body is sent in one piece, the cheap way; larger ones go in chunks."""


class Webhooks:
    """Delivers webhooks; every call is noted on its job."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._session: aiohttp.ClientSession | None = None
        self._held: dict[str, list[Job]] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def announce(self, job: Job, delays: tuple[float, ...]) -> None:
        """The job has ended: begin its deliveries at `delays` seconds from now."""
        if job.webhook is None:
            return
        if self._faults.of(job, "F1") is not None:
            self._note(job, job.webhook, "withheld")
            return
        self._forge(job)
        timing = self._faults.of(job, "F2") or {}
        match timing.get("variant"):
            case "twice":
                self._begin(job, delays)
                self._begin(job, delays, kind="repeat")
            case "late":
                self._clock.call_later(timing["seconds"], lambda: self._begin(job, delays))
            case "after_retries":
                self._withhold_all_but_last(job, delays)
            case "reordered":
                self._held.setdefault(job.endpoint_id, []).append(job)
                self._clock.call_later(timing["seconds"], lambda: self._let_go(job, delays))
            case _:
                self._begin(job, delays)
                self._release_held(job, delays)

    async def deliver_now(self, job: Job) -> None:
        """Wait for the first call of the job's webhook to be answered (F2 before_reply)."""
        while not any(attempt.answer or attempt.problem for attempt in job.webhooks):
            await asyncio.sleep(0.002)

    def _begin(self, job: Job, delays: tuple[float, ...], *, kind: str = "true") -> None:
        self._schedule(job, delays, start=self._clock.now(), kind=kind)

    def _schedule(self, job: Job, delays: tuple[float, ...], *, start: float, kind: str) -> None:
        wait = start + delays[0] - self._clock.now()
        if wait <= 0:
            self._clock.spawn(self._attempt(job, delays, start=start, kind=kind))
            return

        def call() -> None:
            self._clock.spawn(self._attempt(job, delays, start=start, kind=kind))

        self._clock.call_later(wait, call)

    async def _attempt(
        self, job: Job, delays: tuple[float, ...], *, start: float, kind: str
    ) -> None:
        url = job.webhook or ""
        delivered = await self._post(job, url, self._body(job), kind=kind)
        if not delivered and len(delays) > 1:
            self._schedule(job, delays[1:], start=start, kind=kind)

    def _body(self, job: Job) -> JSON:
        body = webhook_view(job)
        padding = self._faults.of(job, "F20")
        if padding is not None:
            blob = "0" * padding["bytes"]
            output = body.get("output")
            body["output"] = (output if isinstance(output, dict) else {"value": output}) | {
                "padding": blob
            }
        return body

    def _forge(self, job: Job) -> None:
        forgery = self._faults.of(job, "F3")
        if forgery is None or job.webhook is None:
            return
        url, body = job.webhook, webhook_view(job)
        match forgery["variant"]:
            case "wrong_token":
                url = url[:-8] + secrets.token_hex(4)
                body["webhook"] = url
            case "other_job":
                body["id"] = forgery.get("job_id") or new_id(sync=False)
            case "changed_output":
                body["output"] = forgery.get("output", {"images": ["forged"], "seed": 0})
                body["status"] = "COMPLETED"
                body.pop("error", None)
        self._clock.spawn(self._post(job, url, body, kind="forged"))

    async def _post(self, job: Job, url: str, body: JSON, *, kind: str) -> bool:
        attempt = self._note(job, url, kind)
        trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        try:
            async with self._client().post(
                url,
                data=_payload(body),
                headers={"traceparent": trace},
                allow_redirects=False,
            ) as reply:
                await reply.read()
                attempt.answer = reply.status
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as problem:
            attempt.problem = repr(problem)
        return attempt.answer is not None and 200 <= attempt.answer < 300

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=RECEIVER_TIMEOUT_SECONDS),
                headers={
                    "User-Agent": "Go-http-client/2.0",
                    "Content-Type": "application/json",
                },
                skip_auto_headers={"Accept"},
                connector=aiohttp.TCPConnector(limit=128),
            )
        return self._session

    def _note(self, job: Job, url: str, kind: str) -> WebhookAttempt:
        attempt = WebhookAttempt(at=self._clock.now(), url=url, kind=kind)
        job.webhooks.append(attempt)
        return attempt

    def _withhold_all_but_last(self, job: Job, delays: tuple[float, ...]) -> None:
        for delay in delays[:-1]:
            self._clock.call_later(delay, lambda: self._note(job, job.webhook or "", "withheld"))
        self._schedule(job, delays[-1:], start=self._clock.now(), kind="true")

    def _release_held(self, after: Job, delays: tuple[float, ...]) -> None:
        """F2 reordered: what was held goes out once a later job's webhook has gone."""

        async def follow(jobs: list[Job]) -> None:
            await self.deliver_now(after)
            for job in jobs:
                self._begin(job, delays)

        held = self._held.pop(after.endpoint_id, [])
        if held:
            self._clock.spawn(follow(held))

    def _let_go(self, job: Job, delays: tuple[float, ...]) -> None:
        held = self._held.get(job.endpoint_id, [])
        if job in held:
            held.remove(job)
            self._begin(job, delays)


def _payload(body: JSON) -> bytes | io.BytesIO:
    raw = json.dumps(body).encode()
    return raw if len(raw) <= SENT_WHOLE else io.BytesIO(raw)
