"""One consumer with 100 credits and one model at 10, and what must be true after any fault."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import requests

from common.catalog import service as catalog
from common.executions import queries
from common.executions import service as executions
from common.executions.queries import Begun
from common.executions.submitting import token_hash
from common.gateways.outbound import Outbound
from common.gateways.runpod import RunPod
from common.gateways.storage import Storage
from infra.local.ports import free_port
from infra.local.runpod.client import SimulatorClient
from tests.world import SDXL_OUTPUT, World

CREDITS, PRICE = 100, 10
QUEUE_SECONDS, TIMEOUT_SECONDS = 60, 30
# What functions.sql makes of these limits: until when an attempt, and a run, may take.
ATTEMPT_SECONDS = QUEUE_SECONDS + TIMEOUT_SECONDS + 60
RUN_SECONDS = 3 * (90 + QUEUE_SECONDS + TIMEOUT_SECONDS) + 300
# A sweep comes each minute and leaves alarms 15 seconds to do their work.
MINUTE_OF_SWEEP = 75

JSON = dict[str, Any]


class Case:
    """Every time is in seconds of the world's clock."""

    def __init__(self, world: World, **base: Any) -> None:
        self.world = world
        limits = {
            "queueSeconds": QUEUE_SECONDS,
            "executionTimeoutSeconds": TIMEOUT_SECONDS,
            **base,
        }
        self.model = world.model(price=PRICE, **limits)
        self.consumer = world.consumer(credits_=CREDITS)
        self.runs: list[str] = []

    @property
    def simulator(self) -> SimulatorClient:
        return self.world.simulator

    @property
    def endpoint(self) -> str:
        return self.model.endpoint_id

    # -- what the GPU does

    def works_for(self, seconds: float, **more: Any) -> None:
        """Each job takes that long, then draws a picture."""
        script = {"mode": "script", "run_ms": seconds * 1000, "output": SDXL_OUTPUT, **more}
        self.simulator.behave(self.endpoint, script)

    def answers(self, output: Any) -> None:
        """Each job ends at once with this output."""
        self.simulator.behave(self.endpoint, {"mode": "instant", "output": output})

    def fault(self, name: str, **options: Any) -> None:
        self.simulator.fault(self.endpoint, name, **options)

    def jobs(self) -> list[JSON]:
        return self.simulator.jobs(self.endpoint)

    def wait_for_webhooks(self, *, kind: str = "true", count: int = 1) -> list[JSON]:
        """The endpoint's jobs once that many webhooks were answered, in real time."""

        def answered(jobs: list[JSON]) -> bool:
            hooks = [hook for job in jobs for hook in job["webhooks"] if hook["kind"] == kind]
            return len([hook for hook in hooks if hook["answer"] or hook["problem"]]) >= count

        return self.simulator.wait_for(self.endpoint, answered, seconds=30)

    def is_impatient(self) -> None:
        """Our client asks RunPod once, and waits 0.3 s for the answer to a submit."""
        settings = self.world.runtime.settings
        self.world.runtime.__dict__["runpod"] = RunPod(
            settings.runpod_base_url, settings.runpod_api_key, submit_timeout_s=0.3, attempts=1
        )

    def trusts(self, *origins: str) -> None:
        """Results may be fetched from these addresses, private as they are."""
        self.world.runtime.__dict__["outbound"] = Outbound(origins)

    def storage_is_down(self) -> None:
        """Nothing listens where our bucket should be."""
        settings = self.world.runtime.settings
        nowhere = settings.model_copy(
            update={"storage_emulator_host": f"http://127.0.0.1:{free_port()}"}
        )
        self.world.runtime.__dict__["storage"] = Storage(nowhere, patience_s=0.01)

    def storage_is_back(self) -> None:
        self.world.runtime.__dict__["storage"] = Storage(self.world.runtime.settings)

    # -- what the consumer does

    def run(self) -> str:
        """Starts a run over HTTP."""
        execution_id = self.world.run(self.consumer, self.model)
        self.runs.append(execution_id)
        return execution_id

    def shown(self, execution_id: str) -> JSON:
        return self.world.shown(self.consumer, execution_id)

    def cancel(self, execution_id: str) -> requests.Response:
        """Asks over HTTP to stop a run."""
        return self.consumer.call("POST", f"/api/marketplace/runs/{execution_id}/cancel")

    def balance(self) -> int:
        return self.world.balance(self.consumer)

    # -- a process that dies on the way: the steps of a start and a submit, one at a time

    def start_only(self) -> str:
        """The start is committed, then the process dies."""
        runtime = self.world.runtime
        with runtime.db.transaction() as session:
            model = catalog.runnable(session, self.model.slug)
            consumer = session.connection().exec_driver_sql(
                "SELECT id FROM consumers ORDER BY created_at DESC, id LIMIT 1"
            )
            consumer_id: uuid.UUID = consumer.scalar_one()
        started = executions.start(
            runtime,
            model,
            executions.Wish(consumer_id=consumer_id, inputs={"prompt": "a lighthouse"}),
        )
        self.runs.append(str(started.execution_id))
        return self.runs[-1]

    def begin_only(self, execution_id: str) -> tuple[uuid.UUID, str, Begun]:
        """The attempt is written down, then the process dies: (attempt, token, what to submit)."""
        attempt, token = uuid.uuid4(), "token-of-a-process-that-died"
        with self.world.runtime.db.step() as connection:
            begun = queries.begin_attempt(
                connection,
                uuid.UUID(execution_id),
                attempt_id=attempt,
                token_hash=token_hash(token),
                now=self.world.clock.now(),
            )
        assert begun is not None
        return attempt, token, begun

    def post_only(self, execution_id: str) -> tuple[uuid.UUID, str]:
        """RunPod took the job, then the process dies before it notes it: (attempt, job id)."""
        attempt, token, begun = self.begin_only(execution_id)
        job_id = self.world.runtime.runpod.submit(
            begun.runpod_endpoint_id,
            payload=begun.payload,
            webhook_url=f"{self.world.base}/api/webhooks/runpod/{attempt}/{token}",
            execution_timeout_ms=begun.execution_timeout_seconds * 1000,
            ttl_ms=(begun.queue_seconds + begun.execution_timeout_seconds) * 1000,
        )
        return attempt, job_id

    def wake_up(self, attempt: uuid.UUID, job_id: str) -> None:
        """It was not dead, only frozen for long: now it notes the job's id."""
        with self.world.runtime.db.step() as connection:
            queries.submitted(connection, attempt, job_id, self.world.clock.now())

    def observe_only(self, attempt: uuid.UUID, job_id: str, seen: str, **details: Any) -> None:
        """What RunPod said is noted, then the process dies before it does what follows."""
        with self.world.runtime.db.step() as connection:
            queries.observe(
                connection,
                attempt,
                job_id=job_id,
                seen=seen,
                source="poll",
                details=details,
                now=self.world.clock.now(),
            )

    def cancel_only(self, execution_id: str) -> str:
        """The wish to stop is noted, then the process dies before it tells RunPod."""
        with self.world.runtime.db.step() as connection:
            (row,) = self.world.sql(
                "SELECT consumer_id FROM executions WHERE id = :id", id=execution_id
            )
            now = self.world.clock.now()
            return queries.cancel(connection, uuid.UUID(execution_id), row.consumer_id, now)

    # -- time

    def ended(
        self,
        execution_id: str,
        *,
        within: float,
        step: float = 15,
        before_each: Callable[[], None] = lambda: None,
    ) -> JSON:
        """The run once it has ended, while time passes with alarms and sweeps.

        Fails when that takes longer than `within`. `before_each` is called in each step.
        """
        passed = 0.0
        while (run := self.shown(execution_id))["completedAt"] is None:
            assert passed < within, f"still {run['status']} after {passed} s: {self.events()}"
            before_each()
            stride = min(step, within - passed)
            self.world.advance(stride, step=stride, sweep=True)
            passed += stride
        return run

    def only_ours(self, seconds: float) -> None:
        """Our clock alone: RunPod has not noticed yet that time passed."""
        self.world.clock.shift += timedelta(seconds=seconds)

    def lose_tasks(self) -> None:
        """Cloud Tasks loses everything that waits."""
        for task in self.world.tasks.waiting():
            self.world.tasks.drop(task.name)

    def callback(self, job: JSON, **changes: Any) -> requests.Response:
        """A webhook as RunPod sends it, with some of its body changed."""
        body = {key: job.get(key) for key in ("id", "status", "output", "input", "webhook")}
        return requests.post(job["webhook"], json={**body, **changes}, timeout=20)

    # -- what operators see

    def events(self) -> list[tuple[str, str]]:
        """What was noted of all runs, oldest first: (what, effect)."""
        rows = self.world.sql("SELECT what, effect FROM execution_events ORDER BY id")
        return [(what, effect) for what, effect in rows]

    def effects(self) -> list[str]:
        return [effect for _, effect in self.events()]

    def attempts(self) -> list[str]:
        """The states of all attempts, oldest first."""
        return [row.state for row in self.world.sql("SELECT state FROM attempts ORDER BY begun_at")]

    def polls(self) -> int:
        """How often RunPod was asked for the newest attempt's job."""
        (row,) = self.world.sql("SELECT polls FROM attempts ORDER BY begun_at DESC LIMIT 1")
        return int(row.polls)

    # -- what must be true after any fault

    def audit(self) -> None:
        """Each run ended once; money follows from how; nothing of RunPod can be seen."""
        assert self.world.violations() == []
        assert self.world.sql("SELECT id FROM executions WHERE phase <> 'done'") == []
        announced = self.world.sql("SELECT execution_id::text, status FROM announcements")
        shown = {execution_id: self.shown(execution_id) for execution_id in self.runs}
        assert sorted(announced) == sorted((run["id"], run["status"]) for run in shown.values())
        done = [run for run in shown.values() if run["status"] == "COMPLETED"]
        assert self.balance() == CREDITS - PRICE * len(done)
        earned = self.model.developer.ok("GET", "/api/studio/auth/me")["totalEarnings"]
        assert earned == len(done) * 7
        for run in shown.values():
            _audit_billing(run)
        self._audit_what_is_visible()

    def _audit_what_is_visible(self) -> None:
        secrets = {self.endpoint, "scripted-worker", "runpod", "RunPod", "traceback", "CUDA"}
        for job in self.jobs():
            secrets |= {job["id"], str(job["webhook"]).rsplit("/", 1)[-1]}
            if isinstance(job.get("error"), str):
                secrets.add(job["error"])
        for execution_id in self.runs:
            for path in ("", "/status"):
                answer = self.consumer.call("GET", f"/api/marketplace/runs/{execution_id}{path}")
                told = [secret for secret in secrets if secret in answer.text]
                assert told == [], answer.text


def _audit_billing(run: JSON) -> None:
    completed = run["status"] == "COMPLETED"
    assert run["billing"]["state"] == ("CAPTURED" if completed else "RELEASED")
    assert run["billing"]["capturedCredits"] == (PRICE if completed else 0)
    assert (run["outputPayload"] is not None) == completed
    assert (run["errorCode"] is not None) == (run["status"] in {"FAILED", "TIMED_OUT"})


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Runs all at the same moment, each in a thread of its own; answers what each returned."""
    barrier, results = threading.Barrier(len(works)), [None] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        barrier.wait()
        results[number] = work()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
