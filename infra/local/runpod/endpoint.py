"""An endpoint: its queue, its workers, its counters, and what the provider never documented."""

import asyncio
import copy
import heapq
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from infra.local.runpod.jobs import IN_PROGRESS, IN_QUEUE, Job

JSON = dict[str, Any]

HISTORY_LIMIT = 50_000
"""Jobs that `/_sim/jobs` remembers per endpoint after the platform itself forgot them."""


@dataclass(slots=True)
class Settings:
    """Switches for what runpod.md 9 calls unknown, and limits that tests want lower.

    Seconds are simulated seconds, sizes are bytes. `hold_seconds`, for which a worker's poll is
    held open, is in real seconds; workers give up after 90.
    """

    rate_limits: bool = False
    queue_limit: bool = False
    webhook_on_cancel: bool = False
    webhook_on_expiry: bool = False
    purged_jobs_are_cancelled: bool = False
    cancel_of_a_finished_job_is_refused: bool = False
    retry_after: bool = False
    workers_max: int = 3
    run_limit: int = 10 * 1024 * 1024
    runsync_limit: int = 20 * 1024 * 1024
    result_limit: int = 20 * 1024 * 1024
    retention_seconds: float = 1800.0
    sync_retention_seconds: float = 60.0
    silence_seconds: float = 40.0
    hold_seconds: float = 20.0
    webhook_delays: tuple[float, ...] = (0.0, 5.0, 20.0)

    @classmethod
    def read(cls, values: JSON) -> "Settings":
        """Settings from JSON.

        Raises:
            ValueError: a name is not a setting.
        """
        unknown = values.keys() - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"no such settings: {sorted(unknown)}")
        return cls(**values)


@dataclass(slots=True)
class Worker:
    """A worker process seen on the protocol. `heard_at` is simulated seconds since the epoch."""

    id: str
    heard_at: float
    running: set[str] = field(default_factory=set)
    to_stop: list[str] = field(default_factory=list)
    stop_wanted: asyncio.Event = field(default_factory=asyncio.Event)


class Endpoint:
    """The state of one endpoint id."""

    def __init__(self, endpoint_id: str, *, key: str | None, settings: Settings) -> None:
        self.id = endpoint_id
        self.key = key
        self.settings = settings
        self.behaviour: JSON = {"mode": "workers"}
        self.next_behaviours: deque[JSON] = deque()
        self.jobs: dict[str, Job] = {}
        self.seen: deque[Job] = deque(maxlen=HISTORY_LIMIT)
        self.queue: deque[Job] = deque()
        self.workers: dict[str, Worker] = {}
        self.counters: Counter[str] = Counter()
        self.submitted = 0
        self.takers: deque[asyncio.Future[None]] = deque()
        self._expiries: list[tuple[float, str]] = []

    def behave(self, behaviour: JSON, *, following: int | None) -> None:
        """Set how jobs are worked on, from now on or for the `following` jobs only."""
        if following is None:
            self.behaviour = behaviour
            self.next_behaviours.clear()
        else:
            self.next_behaviours.extend(copy.deepcopy(behaviour) for _ in range(following))

    def choose_behaviour(self) -> JSON:
        return self.next_behaviours.popleft() if self.next_behaviours else self.behaviour

    def worker(self, worker_id: str, *, now: float) -> Worker:
        """The worker of that id, noted as heard from."""
        worker = self.workers.get(worker_id)
        if worker is None:
            worker = self.workers[worker_id] = Worker(worker_id, now)
        worker.heard_at = now
        return worker

    def enqueue(self, job: Job) -> None:
        """Put the job at the end of the queue and wake one waiting worker."""
        self.queue.append(job)
        self.wake_taker()

    def wake_taker(self) -> None:
        while self.takers:
            taker = self.takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def take(self, limit: int) -> list[Job]:
        """At most `limit` jobs for a worker, oldest first, no longer queued."""
        taken: list[Job] = []
        while self.queue and len(taken) < limit:
            job = self.queue.popleft()
            if job.status == IN_QUEUE and not job.gone:
                taken.append(job)
        return taken

    def stop(self, job: Job) -> None:
        """Tell the worker that has the job to stop it, on its job-stop channel."""
        for worker in self.workers.values():
            if job.id in worker.running:
                worker.running.discard(job.id)
                worker.to_stop.append(job.id)
                worker.stop_wanted.set()

    def release(self, job: Job) -> None:
        """The job is no longer any worker's."""
        for worker in self.workers.values():
            worker.running.discard(job.id)

    def expire_at(self, job: Job, instant: float) -> None:
        """Forget the job at `instant`."""
        job.expires_at = instant
        heapq.heappush(self._expiries, (instant, job.id))

    def expired(self, now: float) -> Iterator[Job]:
        """Jobs that are due to be forgotten, each once."""
        while self._expiries and self._expiries[0][0] <= now:
            _, job_id = heapq.heappop(self._expiries)
            job = self.jobs.get(job_id)
            if job is not None and job.expires_at <= now:
                yield job

    def health(self, now: float) -> JSON:
        """The body of `/health` (runpod.md 1.4)."""
        states = Counter(job.status for job in self.jobs.values())
        return {
            "jobs": {
                "completed": self.counters["completed"],
                "failed": self.counters["failed"],
                "inProgress": states[IN_PROGRESS],
                "inQueue": states[IN_QUEUE],
                "retried": self.counters["retried"],
            },
            "workers": self._worker_counts(now),
        }

    def _worker_counts(self, now: float) -> JSON:
        counts = dict.fromkeys(
            ("idle", "initializing", "ready", "running", "throttled", "unhealthy"), 0
        )
        stuck = {job.stuck for job in self.jobs.values() if job.stuck and job.status == IN_QUEUE}
        if stuck:
            for state in stuck & counts.keys():
                counts[state] = self.settings.workers_max
            return counts
        if self.behaviour["mode"] != "workers":
            busy = sum(1 for job in self.jobs.values() if job.status == IN_PROGRESS)
            counts["running"] = min(busy, self.settings.workers_max)
            counts["ready"] = self.settings.workers_max
            counts["idle"] = counts["ready"] - counts["running"]
            return counts
        for worker in self.workers.values():
            if now - worker.heard_at <= self.settings.silence_seconds:
                counts["ready"] += 1
                counts["running" if worker.running else "idle"] += 1
        return counts
