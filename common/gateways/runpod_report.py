"""What RunPod says about a job or an endpoint, read once for callbacks and polls alike.

Pure. RunPod's bodies are odd in many ways (runpod.md 1.3, 1.4, 2.1, 7); each oddity ends here.
"""

import json
import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Literal

MAX_ERROR_CHARACTERS = 4_000
# What PostgreSQL cannot hold: a failure that cannot be written down could never end its run.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Missing(Enum):
    """The type of MISSING: no value at all, unlike null."""

    MISSING = "missing"


MISSING = Missing.MISSING


class JobState(StrEnum):
    """Where a job is. GONE: RunPod does not know it (never did, not yet, or not any more)."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"
    GONE = "GONE"

    @property
    def ended(self) -> bool:
        """Whether RunPod will do nothing more by itself. GONE is no end: age decides (P4, P7)."""
        return self in _ENDED


_ENDED = {JobState.COMPLETED, JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED}
_STATES = {
    "IN_QUEUE": JobState.QUEUED,
    "IN_PROGRESS": JobState.RUNNING,
    "RUNNING": JobState.RUNNING,
    "COMPLETED": JobState.COMPLETED,
    "FAILED": JobState.FAILED,
    "TIMED_OUT": JobState.TIMED_OUT,
    "CANCELLED": JobState.CANCELLED,
}


@dataclass(frozen=True)
class JobReport:
    """One look at a job. `error` is the worker's or RunPod's own text: for operators only."""

    job_id: str
    state: JobState
    output: Any = MISSING
    error: str | None = None
    delay_ms: int | None = None
    execution_ms: int | None = None
    retries: int = 0


@dataclass(frozen=True)
class EndpointHealth:
    """An endpoint's counters; a counter that RunPod leaves out is 0. They overlap by nature."""

    in_queue: int
    in_progress: int
    completed: int
    failed: int
    retried: int
    idle: int
    initializing: int
    ready: int
    running: int
    throttled: int
    unhealthy: int

    @property
    def queue_trouble(self) -> Literal["unhealthy", "starting", "no_capacity"] | None:
        """Why queued jobs do not start (runpod.md 1.4), or None when nothing is wrong."""
        if not self.in_queue or self.ready or self.running:
            return None
        if self.unhealthy:
            return "unhealthy"
        return "starting" if self.throttled or self.initializing else "no_capacity"


def read_report(body: Any, *, job_id: str) -> JobReport:
    """A job object of /status, /cancel or a webhook. Raises ValueError when it is none."""
    if not isinstance(body, dict):
        raise ValueError("not a job object")
    if body.get("status") == 404:
        return JobReport(job_id, JobState.GONE)
    if not isinstance(body.get("status"), str):
        raise ValueError("a job object without a status")
    error = error_text(body.get("error"))
    return JobReport(
        job_id=job_id,
        state=_state(body, error),
        output=body.get("output", MISSING),
        error=error,
        delay_ms=_whole(body.get("delayTime")),
        execution_ms=_whole(body.get("executionTime")),
        retries=_whole(body.get("retries")) or 0,
    )


def read_health(body: Any) -> EndpointHealth:
    """Raises ValueError when the body is no health object."""
    if not isinstance(body, dict) or not isinstance(body.get("jobs"), dict):
        raise ValueError("not a health object")
    jobs, workers = body["jobs"], body.get("workers")
    counts = workers if isinstance(workers, dict) else {}
    return EndpointHealth(
        in_queue=_whole(jobs.get("inQueue")) or 0,
        in_progress=_whole(jobs.get("inProgress")) or 0,
        **{n: _whole(jobs.get(n)) or 0 for n in ("completed", "failed", "retried")},
        **{n: _whole(counts.get(n)) or 0 for n in _WORKER_COUNTERS},
    )


_WORKER_COUNTERS = ("idle", "initializing", "ready", "running", "throttled", "unhealthy")


def error_text(error: Any) -> str | None:
    """`error` is a string by the book, and a list or an object from some workers."""
    if error is None or error == "":
        return None
    text = error if isinstance(error, str) else json.dumps(error, default=str)
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:MAX_ERROR_CHARACTERS])


def _state(body: dict[str, Any], error: str | None) -> JobState:
    """RunPod's word in ours. An unknown word means that the job goes on (runpod.md 2.1)."""
    state = _STATES.get(body["status"])
    if state is None:
        return JobState.RUNNING if body.get("workerId") else JobState.QUEUED
    # A time limit is told as FAILED by one path and TIMED_OUT by another (P13).
    if state is JobState.FAILED and error and "executiontimeout exceeded" in error.lower():
        return JobState.TIMED_OUT
    if state is JobState.COMPLETED and error and "output" not in body:
        return JobState.FAILED
    return state


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 2**53 else None
