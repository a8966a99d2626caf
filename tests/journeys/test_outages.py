"""What a consumer reads, and what the sweep does, while a part of the cloud is away."""

from typing import Any

import pytest

from common.executions import service as executions
from common.gateways.storage import StorageUnavailable
from common.gateways.tasks import TaskNotCreated, Wake
from tests.world import World


class StorageThatCannotSign:
    """Cloud Storage whose signing gives no answer."""

    def __init__(self, storage: Any) -> None:
        self.put = storage.put

    def signed_url(self, name: str, *, ttl_s: int) -> str:
        raise StorageUnavailable(f"{name} for {ttl_s} s")


class NoTasks:
    """A task queue that takes nothing."""

    def create(self, wake: Wake) -> None:
        raise TaskNotCreated(wake.path)


class RunPodThatBreaksOnce:
    """A gateway whose first look ends in an error of ours."""

    def __init__(self, runpod: Any) -> None:
        self._runpod, self._broken = runpod, False
        self.submit, self.cancel = runpod.submit, runpod.cancel

    def status(self, endpoint_id: str, job_id: str) -> Any:
        if not self._broken:
            self._broken = True
            raise ZeroDivisionError
        return self._runpod.status(endpoint_id, job_id)


def test_a_result_that_cannot_be_signed_now_is_a_503_that_says_try_again(world: World) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    execution_id = world.run(consumer, model)
    world.ended(consumer, execution_id)
    world.runtime.__dict__["storage"] = StorageThatCannotSign(world.runtime.storage)

    error = consumer.refused(503, "GET", f"/api/marketplace/runs/{execution_id}")

    assert (error["code"], error["retryable"]) == ("UNAVAILABLE", True)


@pytest.mark.parametrize("alarms", [True, False])
def test_one_execution_that_cannot_be_moved_keeps_the_sweep_from_no_other(
    world: World, alarms: bool
) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    world.simulator.fault(model.endpoint_id, "F1")
    runs = [world.run(consumer, model) for _ in range(3)]
    for task in world.tasks.waiting():
        world.tasks.drop(task.name)
    world.clock.shift = world.clock.shift.__class__(seconds=120 if alarms else 60)
    if not alarms:
        world.runtime.__dict__["tasks"] = NoTasks()
    world.runtime.__dict__["runpod"] = RunPodThatBreaksOnce(world.runtime.runpod)

    executions.sweep(world.runtime)

    ended = [world.shown(consumer, run)["status"] for run in runs]
    assert sorted(ended) == ["COMPLETED", "COMPLETED", "QUEUED"]
