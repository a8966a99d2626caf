"""What the platform does with a job: the state machine of runpod.md 2.1.

Every change of a job's status happens here, and nothing here knows HTTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.runpod import afflictions
from infra.local.runpod import jobs as status
from infra.local.runpod.clock import Clock
from infra.local.runpod.endpoint import Endpoint
from infra.local.runpod.faults import Faults
from infra.local.runpod.jobs import ABSENT, Job, Policy, new_id
from infra.local.runpod.webhooks import Webhooks

JSON = dict[str, Any]

LATENESS_SECONDS = (2.8, 9.4)
"""How late `executionTimeout` is enforced; measured, runpod.md 2.2."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked body of `/run` or `/runsync`."""

    input: JSON
    webhook: str | None
    policy: Policy
    s3_config: JSON | None
    retention_seconds: float
    sync: bool


class NotAllowed(Exception):
    """The job's state does not allow the operation."""


class Lifecycle:
    """Moves jobs between states. `media_url` is where spoilt media (F15) are served from."""

    def __init__(
        self,
        clock: Clock,
        faults: Faults,
        webhooks: Webhooks,
        *,
        begin_script: Callable[["Lifecycle", Endpoint, Job], None],
        media_url: Callable[[], str],
    ) -> None:
        self.clock = clock
        self.faults = faults
        self.webhooks = webhooks
        self._begin_script = begin_script
        self._media_url = media_url

    def submit(self, endpoint: Endpoint, submission: Submission, *, index: int) -> Job:
        """Accept a job and hand it to the queue or to a scripted worker."""
        now = self.clock.now()
        job = Job(
            id=new_id(sync=submission.sync),
            endpoint_id=endpoint.id,
            index=index,
            input=submission.input,
            webhook=submission.webhook,
            policy=submission.policy,
            created_at=now,
            retention_seconds=submission.retention_seconds,
            s3_config=submission.s3_config,
        )
        job.history.append((now, job.status))
        endpoint.jobs[job.id] = job
        endpoint.seen.append(job)
        endpoint.expire_at(job, now + job.policy.ttl_ms / 1000)
        afflictions.begin(self.faults, job, now)
        job.behaviour = endpoint.choose_behaviour()
        self.dispatch(endpoint, job)
        return job

    def dispatch(self, endpoint: Endpoint, job: Job) -> None:
        """Let the job be worked on, unless it is stuck in the queue (F6)."""
        if job.stuck is not None:
            return
        if job.behaviour["mode"] == "workers":
            endpoint.enqueue(job)
        else:
            self._begin_script(self, endpoint, job)

    def start(self, endpoint: Endpoint, job: Job, worker_id: str) -> None:
        """A worker took the job."""
        now = self.clock.now()
        job.runs += 1
        job.worker_id = worker_id
        job.started_at = job.heard_at = now
        job.delay_ms = int((now - job.created_at) * 1000)
        self._enter(job, status.IN_PROGRESS)
        sudden_end = self.faults.of(job, "F13")
        if sudden_end is not None and sudden_end["variant"] == "ttl":
            self.clock.call_later(sudden_end["seconds"], lambda: self.forget(endpoint, job))

    def limit(self, endpoint: Endpoint, job: Job) -> None:
        """Enforce `executionTimeout` on the present run, late as the service does."""
        run = job.runs
        late = self.faults.random(job, "lateness").uniform(*LATENESS_SECONDS)
        if self.faults.of(job, "F12") is not None:
            late = max(3.0, late)

        def enforce() -> None:
            if self._running(job, run):
                verdict = (self.faults.of(job, "F12") or {}).get("variant", status.FAILED)
                endpoint.stop(job)
                self._end(endpoint, job, verdict, error=status.TOO_SLOW)

        self.clock.call_later(job.policy.execution_timeout_ms / 1000 + late, enforce)

    def watch(self, endpoint: Endpoint, job: Job) -> None:
        """Take the job away from its worker once that has been silent about it for too long."""
        run, patience = job.runs, endpoint.settings.silence_seconds
        patience = max(patience, 3.0 * self.clock.scale)

        def look() -> None:
            if not self._running(job, run):
                return
            silence = self.clock.now() - job.heard_at
            if silence >= patience:
                self._lose(endpoint, job)
            else:
                self.clock.call_later(patience - silence, look)

        self.clock.call_later(patience, look)

    def progress(self, job: Job, output: Any) -> None:
        """A progress update; after the final result it overwrites that (runpod.md 7, P5)."""
        if job.gone:
            return
        job.output = output
        job.heard_at = self.clock.now()
        if job.status != status.IN_PROGRESS:
            job.error = None
            self._enter(job, status.IN_PROGRESS)
        job.wake()

    def finish(
        self, endpoint: Endpoint, job: Job, *, output: Any = ABSENT, error: Any = None
    ) -> None:
        """A worker's result arrived: it counts, unless a fault eats it or the job has ended."""
        if job.gone or job.status != status.IN_PROGRESS:
            return
        if self._eaten(endpoint, job):
            return
        if isinstance(error, str) and error:
            self._end(endpoint, job, status.FAILED, output=output, error=error)
        elif error:
            self._end(endpoint, job, status.COMPLETED)
        else:
            output = afflictions.spoil(self.faults, job, output, media_url=self._media_url())
            self._end(endpoint, job, status.COMPLETED, output=output)

    def cancel(self, endpoint: Endpoint, job: Job) -> str:
        """Cancel the job and return the status to answer.

        Raises:
            NotAllowed: the job has ended, and this endpoint refuses then.
        """
        if job.terminal:
            if endpoint.settings.cancel_of_a_finished_job_is_refused:
                raise NotAllowed(f"job is {job.status}")
            return job.status
        if self.faults.of(job, "F16") is not None:
            return status.CANCELLED
        endpoint.stop(job)
        self._end(endpoint, job, status.CANCELLED, announce=endpoint.settings.webhook_on_cancel)
        return status.CANCELLED

    def retry(self, endpoint: Endpoint, job: Job) -> None:
        """Queue a failed job again: same id, same input, old result removed.

        Raises:
            NotAllowed: the job has neither failed nor timed out.
        """
        if job.status not in (status.FAILED, status.TIMED_OUT):
            raise NotAllowed(f"job is {job.status}")
        job.output, job.error, job.execution_ms = ABSENT, None, None
        job.finished_at, job.lost_runs, job.retries = None, 0, 0
        endpoint.expire_at(job, self.clock.now() + job.policy.ttl_ms / 1000)
        self._enter(job, status.IN_QUEUE)
        job.behaviour = endpoint.choose_behaviour()
        self.dispatch(endpoint, job)

    def purge(self, endpoint: Endpoint) -> int:
        """Remove all queued jobs; tell how many."""
        queued = [job for job in endpoint.jobs.values() if job.status == status.IN_QUEUE]
        for job in queued:
            if endpoint.settings.purged_jobs_are_cancelled:
                self._end(endpoint, job, status.CANCELLED, announce=False)
            else:
                self.forget(endpoint, job)
        endpoint.queue.clear()
        return len(queued)

    def sweep(self, endpoint: Endpoint) -> None:
        """Forget the jobs whose TTL or retention is over."""
        for job in endpoint.expired(self.clock.now()):
            self.forget(endpoint, job)

    def forget(self, endpoint: Endpoint, job: Job) -> None:
        """The job is gone, whatever its state: `/status` says 404 from now on."""
        if job.gone:
            return
        job.gone = True
        endpoint.jobs.pop(job.id, None)
        endpoint.stop(job)
        if not job.terminal and endpoint.settings.webhook_on_expiry:
            job.status = status.TIMED_OUT
            self.webhooks.announce(job, endpoint.settings.webhook_delays)
        job.wake()

    def release_stuck(self, endpoint: Endpoint) -> None:
        """Capacity is back: jobs stuck in the queue (F6) go on."""
        for job in list(endpoint.jobs.values()):
            if job.stuck is not None:
                job.stuck = None
                self.dispatch(endpoint, job)

    def _running(self, job: Job, run: int) -> bool:
        return not (job.gone or job.hung) and job.status == status.IN_PROGRESS and job.runs == run

    def _eaten(self, endpoint: Endpoint, job: Job) -> bool:
        """Whether a fault keeps this result from ending the job (F7, F10, F11, F12)."""
        if self.faults.of(job, "F12") is not None:
            return True
        once = job.lost_runs == 0 and self.faults.of(job, "F10") is not None
        if once or self.faults.of(job, "F11") is not None:
            self.vanish(endpoint, job)
            return True
        hidden = self.faults.of(job, "F7")
        if hidden is not None:
            job.output = hidden["output"]
            job.hung = True
            job.wake()
        return hidden is not None

    def vanish(self, endpoint: Endpoint, job: Job) -> None:
        """Nothing more is heard of the present run."""
        run = job.runs
        endpoint.release(job)

        def give_up() -> None:
            if self._running(job, run):
                self._lose(endpoint, job)

        self.clock.call_later(endpoint.settings.silence_seconds, give_up)

    def _lose(self, endpoint: Endpoint, job: Job) -> None:
        """The platform gives a silent run up: once more, then never again (runpod.md 0.1)."""
        endpoint.release(job)
        if job.lost_runs >= 1:
            self._end(endpoint, job, status.FAILED, error=status.GAVE_UP)
            return
        job.lost_runs += 1
        job.retries += 1
        endpoint.counters["retried"] += 1
        self._enter(job, status.IN_QUEUE)
        self.dispatch(endpoint, job)

    def _end(
        self,
        endpoint: Endpoint,
        job: Job,
        verdict: str,
        *,
        output: Any = ABSENT,
        error: str | None = None,
        announce: bool = True,
    ) -> None:
        now = self.clock.now()
        job.output, job.error, job.finished_at = output, error, now
        if job.started_at is not None:
            job.execution_ms = int((now - job.started_at) * 1000)
        endpoint.release(job)
        endpoint.counters[verdict.lower()] += 1
        self._enter(job, verdict)
        early = self.faults.of(job, "F13")
        lost = early is not None and early["variant"] == "retention"
        endpoint.expire_at(job, now if lost else now + job.retention_seconds)
        late = self.faults.of(job, "F14")
        if late is not None:
            self.clock.call_later(late["seconds"], lambda: self.progress(job, late["output"]))
        if announce:
            self.webhooks.announce(job, endpoint.settings.webhook_delays)

    def _enter(self, job: Job, new: str) -> None:
        job.status = new
        job.history.append((self.clock.now(), new))
        job.wake()
