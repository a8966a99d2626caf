"""A job as the platform keeps it, and the JSON that the API, the webhook and the tests see."""

import asyncio
import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

JSON = dict[str, Any]


class Absent(Enum):
    """Tells "no output at all" from an output that is null (runpod.md 5)."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

IN_QUEUE = "IN_QUEUE"
IN_PROGRESS = "IN_PROGRESS"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
CANCELLED = "CANCELLED"
TIMED_OUT = "TIMED_OUT"
TERMINAL = frozenset({COMPLETED, FAILED, CANCELLED, TIMED_OUT})

GAVE_UP = "job timed out after 1 retries"
"""What the platform says when its own second try went silent too (runpod.md 1.3)."""
TOO_SLOW = "executionTimeout exceeded"


@dataclass(slots=True, frozen=True)
class Policy:
    """The job's `policy` (runpod.md 2.2); both limits in ms."""

    execution_timeout_ms: int = 600_000
    ttl_ms: int = 86_400_000
    low_priority: bool = False


@dataclass(slots=True)
class WebhookAttempt:
    """One webhook call, sent or withheld. `at` is simulated seconds since the epoch."""

    at: float
    url: str
    kind: str
    answer: int | None = None
    problem: str | None = None


@dataclass(slots=True, eq=False)
class Job:
    """One job. Instants are simulated seconds since the epoch, durations are ms."""

    id: str
    endpoint_id: str
    index: int
    input: JSON
    webhook: str | None
    policy: Policy
    created_at: float
    retention_seconds: float
    s3_config: JSON | None = None
    status: str = IN_QUEUE
    delay_ms: int | None = None
    execution_ms: int | None = None
    output: Any = ABSENT
    error: Any = None
    retries: int = 0
    worker_id: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float = 0.0
    heard_at: float = 0.0
    lost_runs: int = 0
    runs: int = 0
    gone: bool = False
    hidden_until: float = 0.0
    broken_until: float | None = None
    stuck: str | None = None
    hung: bool = False
    behaviour: JSON = field(default_factory=dict)
    drift: JSON | None = None
    faults: dict[str, JSON] = field(default_factory=dict)
    webhooks: list[WebhookAttempt] = field(default_factory=list)
    stream: list[Any] = field(default_factory=list)
    history: list[tuple[float, str]] = field(default_factory=list)
    waiters: list["asyncio.Future[None]"] = field(default_factory=list)

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    def wake(self) -> None:
        """Tell every long poll on this job that something changed."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def changed(self) -> "asyncio.Future[None]":
        """A future that ends at the job's next change."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        return waiter


def new_id(*, sync: bool) -> str:
    """An id in RunPod's form: a uuid with a region suffix, `sync-` in front for `/runsync`."""
    return f"{'sync-' if sync else ''}{uuid.uuid4()}-u1"


def status_view(job: Job) -> JSON:
    """The job object of `/status` and `/runsync` (runpod.md 1.3)."""
    view: JSON = {"id": job.id, "status": job.status}
    if job.delay_ms is not None:
        view["delayTime"] = job.delay_ms
    if job.execution_ms is not None:
        view["executionTime"] = job.execution_ms
    if job.output is not ABSENT:
        view["output"] = job.output
    if isinstance(job.error, str):
        view["error"] = job.error
    if job.retries:
        view["retries"] = job.retries
    if job.worker_id is not None:
        view["workerId"] = job.worker_id
    if job.drift:
        _drift(view, job.drift, final=job.terminal)
    return view


def _drift(view: JSON, drift: JSON, *, final: bool) -> None:
    """Apply F18: the platform answers in a shape that nobody announced."""
    match drift["variant"]:
        case "unknown_status" if not final:
            view["status"] = drift["status"]
        case "extra_fields":
            view |= {"region": "SIM-1", "billing": {"units": 3}, "schemaVersion": 7}
        case "no_delay_time":
            view.pop("delayTime", None)


def webhook_view(job: Job) -> JSON:
    """The webhook's body: the job object with input and webhook URL echoed (runpod.md 2.4)."""
    return status_view(job) | {"input": job.input, "webhook": job.webhook}


def control_view(job: Job) -> JSON:
    """Everything the simulator knows of a job, for tests only."""
    return status_view(job) | {
        "status": job.status,
        "endpointId": job.endpoint_id,
        "index": job.index,
        "input": job.input,
        "webhook": job.webhook,
        "s3Config": job.s3_config,
        "policy": {
            "executionTimeout": job.policy.execution_timeout_ms,
            "ttl": job.policy.ttl_ms,
            "lowPriority": job.policy.low_priority,
        },
        "createdAt": job.created_at,
        "finishedAt": job.finished_at,
        "runs": job.runs,
        "gone": job.gone,
        "faults": job.faults,
        "history": [{"at": at, "status": status} for at, status in job.history],
        "webhooks": [
            {"at": a.at, "url": a.url, "kind": a.kind, "answer": a.answer, "problem": a.problem}
            for a in job.webhooks
        ],
    }
