"""The stand-in in both its modes, Google's client for it, and something to deliver to."""

from collections.abc import Iterator

import pytest
from google.cloud import tasks_v2

from infra.local.tasks.running import RunningTasks, running_tasks
from tests.local.tasks.target import QUEUE, Target, listening


@pytest.fixture
def target() -> Iterator[Target]:
    with listening() as target:
        yield target


@pytest.fixture(scope="module")
def shared_held() -> Iterator[tuple[RunningTasks, tasks_v2.CloudTasksClient]]:
    with running_tasks(queues=[QUEUE], manual=True) as running, running.client() as client:
        yield running, client


@pytest.fixture
def held(
    shared_held: tuple[RunningTasks, tasks_v2.CloudTasksClient],
) -> tuple[RunningTasks, tasks_v2.CloudTasksClient]:
    """Manual mode: each delivery is asked for. The queue is empty at the start of every test."""
    shared_held[1].purge_queue(name=QUEUE)
    return shared_held


@pytest.fixture(scope="module")
def automatic() -> Iterator[tasks_v2.CloudTasksClient]:
    with running_tasks(queues=[QUEUE]) as running, running.client() as client:
        yield client
