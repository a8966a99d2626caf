"""A simulated RunPod behind the real gateway: only the exchange over the wire is replaced."""

import json
from typing import Any

from urllib3.exceptions import ConnectTimeoutError, ProtocolError

from common.boundary import assert_no_session
from common.gateways.runpod import RunPod
from tests.simulation.crashes import Steps
from tests.simulation.doors import Doors
from tests.simulation.invocations import current
from tests.simulation.jobs import Job, draw_job
from tests.simulation.sim_webhooks import SimWebhooks

SUBMIT_FAULTS = (
    "submit_rate_limited",
    "submit_rejected",
    "submit_unreachable",
    "submit_request_lost",
    "submit_answer_lost",
)
PROPAGATION_S = 120.0
Exchange = tuple[int, Any]


class SimRunPod(RunPod):
    """The gateway with all its readings and refusals, speaking to jobs that live in memory.

    It asks once and does not repeat: repeating is timed by the machine's clock.
    """

    def __init__(self, steps: Steps, doors: Doors) -> None:
        super().__init__("https://runpod.example/v2", "a-key", attempts=1)
        self._steps = steps
        self.webhooks = SimWebhooks(steps, doors)
        self.jobs: dict[str, Job] = {}
        self.of_request: dict[str, list[Job]] = {}
        self.unjustified: list[str] = []
        self.unguarded: list[str] = []
        self.down_until = 0.0

    def _call(
        self, method: str, path: str, *, timeout_s: float, body: bytes | None = None
    ) -> Exchange:
        assert_no_session()
        endpoint, _, rest = path.partition("/")
        verb, _, job_id = rest.partition("/")
        if verb == "run":
            order = json.loads(body or b"")
            return self._steps.take("POST /run", lambda: self._run(endpoint, order, timeout_s))
        act = self._status if verb == "status" else self._cancel
        return self._steps.take(f"{method} /{verb}", lambda: act(endpoint, job_id))

    def _run(self, endpoint: str, order: dict[str, Any], timeout_s: float) -> Exchange:
        scheduler, dice = self._steps.scheduler, self._steps.dice
        fault = dice.one_of(*SUBMIT_FAULTS)
        if not current().alarms:
            self.unguarded.append(f"POST /run of {order['input']['prompt']} without an alarm")
        scheduler.pass_time(dice.rng.uniform(0.02, 0.2))
        if fault == "submit_unreachable":
            raise ConnectTimeoutError
        if fault == "submit_rate_limited":
            return 429, {}
        if fault == "submit_rejected":
            return 400, {"error": "no"}
        if fault == "submit_request_lost":
            scheduler.pass_time(timeout_s)
            raise ProtocolError("no answer")
        if scheduler.seconds < self.down_until:
            return 502, "Bad Gateway"
        job = self._accept(endpoint, order)
        if fault == "submit_answer_lost":
            job.orphaned = True
            scheduler.pass_time(timeout_s)
            raise ProtocolError("no answer")
        scheduler.pass_time(dice.rng.uniform(0.02, 0.2))
        return 200, {"id": job.id, "status": "IN_QUEUE"}

    def _accept(self, endpoint: str, order: dict[str, Any]) -> Job:
        scheduler, number = self._steps.scheduler, len(self.jobs)
        job = draw_job(
            self._steps.dice,
            number=number,
            now=scheduler.seconds,
            endpoint=endpoint,
            order=order,
            rest=order["input"]["prompt"],
        )
        earlier = self.of_request.setdefault(job.request, [])
        if earlier and not self._excuses(job, earlier[-1]):
            self.unjustified.append(job.request)
        earlier.append(job)
        self.jobs[job.id] = job
        current().jobs.append(job)
        scheduler.note("job", number, job.request, job.fate)
        if job.ends < float("inf"):
            scheduler.at(job.ends - scheduler.seconds, self._end, job)
        self.webhooks.begun(job)
        return job

    def _excuses(self, job: Job, earlier: Job) -> bool:
        """Whether the platform had a reason to start this job after the one before it.

        No reason is good enough for two jobs of one attempt, whose webhook they share.
        """
        if job.webhook == earlier.webhook:
            return False
        now = self._steps.scheduler.seconds
        if earlier.orphaned or earlier.fate == "job_error_in_progress":
            return True
        if now < earlier.hidden_until:  # only a job that stays unknown is lost (runpod.md 7, P7)
            return now - earlier.created > PROPAGATION_S - 5
        return earlier.report(now)[1]["status"] in {404, "FAILED", "CANCELLED"}

    def _end(self, job: Job) -> None:
        now = self._steps.scheduler.seconds
        if job.cancelled > now and job.vanishes > now and job.ends <= job.created + job.ttl:
            self.webhooks.finished(job)

    def _status(self, endpoint: str, job_id: str) -> Exchange:
        self._trouble("status_error")
        job = self._found(endpoint, job_id)
        if job is None:
            return 404, {"status": 404, "detail": "job not found"}
        if job.fate == "job_mute":
            return 500, "Internal Server Error"
        return job.report(self._steps.scheduler.seconds)

    def _cancel(self, endpoint: str, job_id: str) -> Exchange:
        self._trouble("cancel_lost")
        job, now = self._found(endpoint, job_id), self._steps.scheduler.seconds
        if job is None or job.report(now)[0] == 404:
            return 404, {"status": 404, "detail": "job not found"}
        job.cancel_asked = True
        too_late = self._steps.dice.strikes("cancel_too_late")  # the worker finishes all the same
        if not job.ended(now) and not too_late:
            job.cancelled = now
            if self._steps.dice.rng.random() < 0.5:
                self.webhooks.finished(job)
        return 200, {"id": job_id, "status": "CANCELLED"}

    def _found(self, endpoint: str, job_id: str) -> Job | None:
        job = self.jobs.get(job_id)
        return job if job is not None and job.endpoint == endpoint else None

    def _trouble(self, fault: str) -> None:
        """The network or RunPod itself gives no answer, and then nothing was done."""
        scheduler, dice = self._steps.scheduler, self._steps.dice
        scheduler.pass_time(dice.rng.uniform(0.01, 0.1))
        if scheduler.seconds < self.down_until or dice.strikes(fault):
            scheduler.pass_time(dice.rng.uniform(0.0, 10.0))
            raise ProtocolError("no answer")
