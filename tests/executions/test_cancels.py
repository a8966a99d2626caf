"""Wanted cancels against a RunPod that does not know a job yet."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from common.executions import service as executions
from common.gateways.runpod import RunPod
from common.runtime import Runtime
from common.settings import Settings
from tests.factories import Offer
from tests.steps import Steps


@dataclass
class StepsClock:
    """The clock of the steps."""

    steps: Steps

    def now(self) -> datetime:
        return self.steps.now

    def sleep(self, seconds: float) -> None:
        self.steps.wait(seconds)


@dataclass
class ShyRunPod(RunPod):
    """RunPod whose new jobs come into sight when the test says so."""

    visible: bool = False
    asked: list[str] = field(default_factory=list)

    def cancel(self, endpoint_id: str, job_id: str) -> bool:
        self.asked.append(f"{endpoint_id}/{job_id}")
        return self.visible


@pytest.fixture
def runpod() -> ShyRunPod:
    return ShyRunPod()


@pytest.fixture
def parts(settings: Settings, steps: Steps, runpod: ShyRunPod) -> Runtime:
    made = Runtime(settings, StepsClock(steps))
    made.__dict__["runpod"] = runpod
    return made


@pytest.fixture
def unwanted(steps: Steps, offer: Offer, consumer: uuid.UUID) -> uuid.UUID:
    """An attempt whose run was cancelled while its submit was on its way."""
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    assert steps.cancel(execution, consumer) == "requested"
    steps.submitted(attempt)
    return attempt


def test_a_cancel_of_a_job_that_is_not_in_sight_yet_is_sent_again_until_it_is(
    parts: Runtime, steps: Steps, runpod: ShyRunPod, unwanted: uuid.UUID
) -> None:
    """Found by the simulation: the job ran on for twenty minutes, since 404 passed for done."""
    assert executions.send_cancels(parts) == 0
    assert steps.wanted_cancels() == [unwanted]
    runpod.visible = True
    steps.wait(60)
    assert executions.send_cancels(parts) == 1
    assert steps.wanted_cancels() == []


def test_a_job_that_stays_out_of_sight_is_not_asked_for_for_ever(
    parts: Runtime, steps: Steps, runpod: ShyRunPod, unwanted: uuid.UUID
) -> None:
    for _ in range(10):
        executions.send_cancels(parts)
        steps.wait(60)
    assert steps.wanted_cancels() == []
    assert len(runpod.asked) == 6
    assert unwanted
