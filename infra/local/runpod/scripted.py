"""Workers inside the simulator, for tests and benchmarks that want no processes.

A behaviour is {"mode": "workers"} (real worker processes take the jobs, the default),
{"mode": "instant", ...} (the job ends inside the call that submits it), or {"mode": "script",
"queue_ms": 0, "run_ms": 0, ...}. The dots stand for `output` or `error`, and `stream`, a list of
chunks. Without `output` the job's input is echoed as {"echo": input}.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from infra.local.runpod.endpoint import Endpoint
from infra.local.runpod.jobs import ABSENT, IN_PROGRESS, IN_QUEUE, Job

if TYPE_CHECKING:
    from infra.local.runpod.lifecycle import Lifecycle

JSON = dict[str, Any]

KEYS = {
    "workers": {"mode"},
    "instant": {"mode", "output", "error", "stream"},
    "script": {"mode", "output", "error", "stream", "queue_ms", "run_ms", "progress"},
}
WORKER_ID = "scripted-worker"


def check_behaviour(behaviour: JSON) -> JSON:
    """The behaviour, if it is one.

    Raises:
        ValueError: unknown mode or key.
    """
    mode = behaviour.get("mode")
    if mode not in KEYS:
        raise ValueError(f"no behaviour mode {mode!r}: {sorted(KEYS)}")
    unknown = behaviour.keys() - KEYS[mode]
    if unknown:
        raise ValueError(f"mode {mode} knows no {sorted(unknown)}")
    return behaviour


def begin(lifecycle: "Lifecycle", endpoint: Endpoint, job: Job) -> None:
    """Work on a queued job as its behaviour says; instant work ends before this returns."""
    queue_ms = job.behaviour.get("queue_ms", 0)
    dispatches = len(job.history)

    def take() -> None:
        if not job.gone and job.status == IN_QUEUE and len(job.history) == dispatches:
            _run(lifecycle, endpoint, job)

    _after(lifecycle, queue_ms, take)


def _run(lifecycle: "Lifecycle", endpoint: Endpoint, job: Job) -> None:
    lifecycle.start(endpoint, job, WORKER_ID)
    if not job.input:  # a worker refuses a job without input and never reports it
        lifecycle.vanish(endpoint, job)
        return
    script = job.behaviour
    run = job.runs
    if script["mode"] == "script":
        lifecycle.limit(endpoint, job)
        if "progress" in script:
            lifecycle.progress(job, script["progress"])

    def finish() -> None:
        if job.gone or job.status != IN_PROGRESS or job.runs != run:
            return
        job.stream.extend(script.get("stream", ()))
        error = script.get("error")
        silent = ABSENT if error else {"echo": job.input}
        lifecycle.finish(endpoint, job, output=script.get("output", silent), error=error)
        if job.status == IN_PROGRESS and script["mode"] == "instant":
            lifecycle.limit(endpoint, job)

    _after(lifecycle, script.get("run_ms", 0), finish)


def _after(lifecycle: "Lifecycle", ms: float, work: Callable[[], None]) -> None:
    if ms:
        lifecycle.clock.call_later(ms / 1000, work)
    else:
        work()
