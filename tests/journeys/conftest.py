"""A world for each journey; the stand-ins are shared by all of them."""

from collections.abc import Iterator

import pytest

from common.settings import Settings
from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.testing import running_simulator
from infra.local.storage.running import RunningStorage, running_storage
from infra.local.tasks.running import RunningTasks, running_tasks
from tests.world import World, serving, world_of

QUEUE = "projects/tarsify-local/locations/us-central1/queues/executions"


@pytest.fixture(scope="package")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="package")
def task_queue() -> Iterator[RunningTasks]:
    with running_tasks(queues=[QUEUE], manual=True) as running:
        yield running


@pytest.fixture(scope="package")
def storage() -> Iterator[RunningStorage]:
    with running_storage(buckets=["tarsify-outputs"]) as running:
        yield running


@pytest.fixture(scope="package")
def base() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def world(
    settings: Settings,
    simulator: SimulatorClient,
    task_queue: RunningTasks,
    storage: RunningStorage,
    base: str,
) -> Iterator[World]:
    with world_of(
        settings, simulator=simulator, task_queue=task_queue, storage=storage, base=base
    ) as made:
        yield made
