"""Each point of the handlers dies; afterwards nothing is lost and all has ended.

The scenarios are the ways of a run. The first pass records which points each of them passes; a
point of the source that no scenario passes fails the build. Then each is struck by a crash and by
an error; with CRASH_MODES=all in each of the four ways (tests/crashes/points.py).
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from common.executions import service as executions
from common.settings import Settings
from infra.local.runpod.client import SimulatorClient
from infra.local.storage.running import RunningStorage
from infra.local.stripe.client import StripeControl
from infra.local.tasks.running import RunningTasks
from tests.crashes.points import (
    PARTS,
    RUNS,
    PointedDatabase,
    PointedGateway,
    Points,
    modes_at,
    static_points,
)
from tests.world import PROMPT_SCHEMA, SDXL_OUTPUT, Caller, Crash, Model, World, world_of
from tests.world_fixtures import (
    world_base,
    world_simulator,
    world_storage,
    world_stripe,
    world_tasks,
)

__all__ = ["world_base", "world_simulator", "world_storage", "world_stripe", "world_tasks"]

PRICE, CREDITS = 10, 100
PUBLIC_ADDRESS = "https://93.184.216.34/a.png"
PIECE = [{"choices": [{"tokens": ["once"]}]}]
SCHEMA = {
    **PROMPT_SCHEMA,
    "properties": {
        **PROMPT_SCHEMA["properties"],  # type: ignore[dict-item]
        "picture": {"type": "string", "format": "uri", "title": "Picture"},
        "stream": {"type": "boolean", "title": "Stream", "default": True},
    },
}
# A run of this model is over within 3 * (90 + 60 + 150) + 300 s, whatever happens.
LIMITS: dict[str, Any] = {"queueSeconds": 60, "executionTimeoutSeconds": 150}
BOUND_SECONDS = 3 * (90 + 60 + 150) + 300 + 120


@dataclass
class Stage:
    """A world whose points are watched, a model on it, and who acts."""

    world: World
    points: Points
    model: Model
    consumer: Caller
    key: str = ""

    def start(self) -> str | None:
        """A click, repeated with its key as a client does that got no answer."""
        path = f"/api/marketplace/models/{self.model.slug}/run"
        body = {"inputs": {"prompt": "a lighthouse"}}
        for _ in range(3):
            with suppress(requests.ConnectionError):
                answer = self.consumer.call("POST", path, body, **{"Idempotency-Key": self.key})
                if answer.status_code == 201:
                    return str(answer.json()["data"]["executionId"])
        return None

    def ask(self, method: str, path: str, body: Any = None, caller: Caller | None = None) -> None:
        """A request that may die on its way."""
        with suppress(requests.RequestException):
            (caller or self.consumer).call(method, path, body)

    def sweep(self) -> None:
        with suppress(Crash, Exception):  # the scheduler comes again in a minute
            self.world.sweep()

    def works_for(self, seconds: float) -> None:
        script = {"mode": "script", "run_ms": seconds * 1000, "output": SDXL_OUTPUT}
        self.world.simulator.behave(self.model.endpoint_id, script)

    def lose_tasks(self) -> None:
        for task in self.world.tasks.waiting():
            self.world.tasks.drop(task.name)

    def pass_time(self, seconds: float) -> None:
        with suppress(Crash):
            self.world.advance(seconds)


def succeeds_at_once(stage: Stage) -> None:
    stage.start()


def is_polled(stage: Stage) -> None:
    stage.world.simulator.fault(stage.model.endpoint_id, "F1")
    stage.start()
    stage.pass_time(30)


def fails_and_is_tried_again(stage: Stage) -> None:
    failing = {"mode": "instant", "error": "the worker fell over"}
    stage.world.simulator.behave(stage.model.endpoint_id, failing, next=1)
    stage.start()
    stage.pass_time(60)


def runs_out_of_time(stage: Stage) -> None:
    stage.works_for(10_000)
    stage.start()
    stage.pass_time(250)


def is_refused_by_the_gpu_service(stage: Stage) -> None:
    stage.world.simulator.fault(stage.model.endpoint_id, "F5", variant="429", next=1)
    stage.start()
    stage.pass_time(60)


def is_cancelled_while_it_works(stage: Stage) -> None:
    stage.works_for(20)
    if execution_id := stage.start():
        stage.ask("POST", f"/api/marketplace/runs/{execution_id}/cancel")


def is_asked_about(stage: Stage) -> None:
    stage.works_for(20)
    if execution_id := stage.start():
        stage.pass_time(5)
        stage.ask("GET", f"/api/marketplace/runs/{execution_id}/status?sync=true")
        stage.ask("GET", f"/api/marketplace/runs/{execution_id}")
        stage.ask("GET", "/api/marketplace/runs")


def is_swept_up_when_all_alarms_are_lost(stage: Stage) -> None:
    stage.world.simulator.fault(stage.model.endpoint_id, "F1")
    stage.works_for(1)
    stage.start()
    stage.lose_tasks()
    stage.world.advance(60)
    stage.sweep()
    stage.lose_tasks()
    stage.sweep()
    with suppress(Crash, Exception):
        executions.audit(stage.world.runtime)


def waits_for_a_gpu_in_vain(stage: Stage) -> None:
    stage.world.simulator.fault(stage.model.endpoint_id, "F6")
    stage.start()
    stage.pass_time(330)


def hides_an_error_in_its_progress(stage: Stage) -> None:
    stage.world.simulator.fault(stage.model.endpoint_id, "F7", next=1)
    stage.start()
    stage.pass_time(60)


def comes_back_from_the_dead(stage: Stage) -> None:
    """RunPod took the job but its answer was lost; another try is under way when it completes."""
    stage.world.simulator.fault(stage.model.endpoint_id, "F4", next=1)
    stage.works_for(140)
    stage.start()
    for _ in range(8):
        stage.pass_time(20)
        stage.sweep()


def is_tested_by_its_developer(stage: Stage) -> None:
    stage.works_for(0.2)
    path = f"/api/studio/tars-models/{stage.model.id}/test-run"
    stage.ask("POST", path, {"inputs": {"prompt": stage.key}}, stage.model.developer)


def leaves_its_result_behind_a_link(stage: Stage) -> None:
    link = "https://127.0.0.1/a.png"
    linked = {"images": [link], "image_url": link}
    stage.world.simulator.behave(stage.model.endpoint_id, {"mode": "instant", "output": linked})
    stage.start()
    stage.pass_time(30)


def is_given_back_by_staff(stage: Stage) -> None:
    if execution_id := stage.start():
        stage.pass_time(30)  # its webhook may not have come yet, and a poll ends it too
        order = {"reference": stage.key, "reason": "a poor result"}
        path = f"/api/admin/runs/{execution_id}/refund"
        for _ in range(2):
            stage.ask("POST", path, order, stage.world.staff)
        stage.ask("GET", f"/api/marketplace/runs/{execution_id}/receipt")


def is_waited_for_and_followed(stage: Stage) -> None:
    """With a file of its own, a webhook, and text that comes bit by bit."""
    path = f"/api/marketplace/models/{stage.model.slug}/run"
    body = {
        "inputs": {"prompt": "a lighthouse", "picture": PUBLIC_ADDRESS},
        "webhook": {"url": PUBLIC_ADDRESS},
    }
    script = {"mode": "script", "run_ms": 1000, "output": SDXL_OUTPUT, "stream": [PIECE]}
    stage.world.simulator.behave(stage.model.endpoint_id, script)
    execution_id = ""
    for _ in range(2):
        with suppress(requests.ConnectionError):
            answer = stage.consumer.call(
                "POST", path, body, **{"Idempotency-Key": stage.key, "Prefer": "wait=0"}
            )
            execution_id = answer.json().get("data", {}).get("executionId", execution_id)
    stage.pass_time(15)
    if execution_id:
        stage.ask("GET", f"/api/marketplace/runs/{execution_id}/events")


def is_asked_for_again_with_other_inputs(stage: Stage) -> None:
    stage.start()
    path = f"/api/marketplace/models/{stage.model.slug}/run"
    with suppress(requests.ConnectionError):
        again = stage.consumer.call("POST", path, {"inputs": {}}, **{"Idempotency-Key": stage.key})
        assert again.status_code != 201


def leaves_with_the_account(stage: Stage) -> None:
    order = {"confirm": "delete my account", "giveUp": True}
    for project, function in (("users", "marketplace"), ("developers", "studio")):
        leaver = Caller(stage.world.base, f"{project}:leaver-{stage.key}")
        stage.ask("POST", f"/api/{function}/auth/register", {}, leaver)
        stage.ask("GET", f"/api/{function}/account/export", None, leaver)
        stage.ask("POST", f"/api/{function}/account/delete", order, leaver)


SCENARIOS: tuple[Callable[[Stage], None], ...] = (
    succeeds_at_once,
    is_polled,
    fails_and_is_tried_again,
    runs_out_of_time,
    is_refused_by_the_gpu_service,
    is_cancelled_while_it_works,
    is_asked_about,
    is_swept_up_when_all_alarms_are_lost,
    waits_for_a_gpu_in_vain,
    hides_an_error_in_its_progress,
    comes_back_from_the_dead,
    is_tested_by_its_developer,
    leaves_its_result_behind_a_link,
    is_given_back_by_staff,
    is_waited_for_and_followed,
    is_asked_for_again_with_other_inputs,
    leaves_with_the_account,
)


@pytest.fixture
def stage(
    settings: Settings,
    *,
    world_simulator: SimulatorClient,
    world_tasks: RunningTasks,
    world_storage: RunningStorage,
    world_stripe: StripeControl,
    world_base: str,
) -> Iterator[Stage]:
    with world_of(
        settings.model_copy(update={"test_run_wait_seconds": 1.0, "stream_seconds": 0.0}),
        simulator=world_simulator,
        task_queue=world_tasks,
        storage=world_storage,
        stripe=world_stripe,
        base=world_base,
    ) as world:
        points = Points()
        model = world.model(price=PRICE, schema=SCHEMA, **LIMITS)
        parts = world.runtime.__dict__
        for part in PARTS:
            parts[part] = PointedGateway(part, getattr(world.runtime, part), points)
        plain = world.runtime.db
        parts["db"] = PointedDatabase(world.settings, points)
        yield Stage(world, points, model, world.consumer())
        plain.dispose()


def play(stage: Stage, scenario: Callable[[Stage], None]) -> list[str]:
    """One scenario from a calm start; answers the points it passed."""
    stage.world.simulator.mend(stage.model.endpoint_id)
    output = {"mode": "instant", "output": SDXL_OUTPUT}
    stage.world.simulator.behave(stage.model.endpoint_id, output)
    stage.key = str(uuid.uuid4())
    first = len(stage.points.passed)
    scenario(stage)
    return stage.points.passed[first:]


def recover(stage: Stage) -> None:
    """Lets time pass until all has ended, as long as a run may take and no longer."""
    stage.points.disarm()
    stage.world.simulator.mend(stage.model.endpoint_id)
    waited = 0
    while alive(stage) and waited < BOUND_SECONDS:
        stage.world.advance(20, step=20, sweep=True)
        waited += 20


def alive(stage: Stage) -> int:
    return int(stage.world.sql("SELECT count(*) FROM executions WHERE phase <> 'done'")[0][0])


def audit(stage: Stage, what: str) -> None:
    """Nothing is left open, announced twice or paid wrongly."""
    assert alive(stage) == 0, what
    assert stage.world.violations() == [], what
    wrong = stage.world.sql(
        "SELECT e.id FROM executions e WHERE (SELECT count(*) FROM announcements a "
        "WHERE a.execution_id = e.id) <> 1 OR finished_at > expires_at + interval '120 seconds'"
    )
    assert wrong == [], what
    twice = stage.world.sql(
        "SELECT owner_id, key FROM idempotency_keys GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert twice == [], what


def test_every_point_of_the_source_is_passed_by_some_scenario(stage: Stage) -> None:
    stage.consumer = stage.world.consumer(credits_=CREDITS * 10)
    for scenario in SCENARIOS:
        play(stage, scenario)
        recover(stage)
    missing = static_points(RUNS) - set(stage.points.passed)
    assert missing == set()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_run_survives_a_fault_at_each_of_its_points(
    stage: Stage, scenario: Callable[[Stage], None]
) -> None:
    stage.consumer = stage.world.consumer(credits_=CREDITS * 100)
    passed = dict.fromkeys(play(stage, scenario))
    recover(stage)
    for point in passed:
        for mode in modes_at(point):
            stage.points.arm(point, mode)
            play(stage, scenario)
            recover(stage)
            audit(stage, f"{mode} at {point}")
