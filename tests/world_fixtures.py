"""Fixtures of a whole Tarsify (tests/world.py); the stand-ins are shared by a test process."""

from collections.abc import Iterator

import pytest

from common.settings import Settings
from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.testing import running_simulator
from infra.local.storage.running import RunningStorage, running_storage
from infra.local.tasks.running import RunningTasks, running_tasks
from tests.world import World, serving, world_of

QUEUE = "projects/tarsify-local/locations/us-central1/queues/executions"


@pytest.fixture(scope="session")
def world_simulator() -> Iterator[SimulatorClient]:
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="session")
def world_tasks() -> Iterator[RunningTasks]:
    with running_tasks(queues=[QUEUE], manual=True) as running:
        yield running


@pytest.fixture(scope="session")
def world_storage() -> Iterator[RunningStorage]:
    with running_storage(buckets=["tarsify-outputs"]) as running:
        yield running


@pytest.fixture(scope="session")
def world_base() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def world(
    settings: Settings,
    world_simulator: SimulatorClient,
    world_tasks: RunningTasks,
    world_storage: RunningStorage,
    world_base: str,
) -> Iterator[World]:
    with world_of(
        settings,
        simulator=world_simulator,
        task_queue=world_tasks,
        storage=world_storage,
        base=world_base,
    ) as made:
        yield made
