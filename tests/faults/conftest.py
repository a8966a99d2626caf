"""A case for each fault: one consumer, one model, and an audit of everything when it is over."""

from collections.abc import Iterator

import pytest

from tests.faults.case import Case
from tests.gateways.origin import Origin, running_origin
from tests.world import World
from tests.world_fixtures import (
    world,
    world_base,
    world_simulator,
    world_storage,
    world_stripe,
    world_tasks,
)

__all__ = ["world", "world_base", "world_simulator", "world_storage", "world_stripe", "world_tasks"]


@pytest.fixture
def case(world: World) -> Iterator[Case]:
    """After the fault every run has ended once, the books agree, and nothing has leaked."""
    made = Case(world)
    yield made
    made.audit()


@pytest.fixture
def patient_case(world: World) -> Iterator[Case]:
    """A model whose jobs may wait and run for longer than a lost submit's grace."""
    made = Case(world, queueSeconds=600, executionTimeoutSeconds=600)
    yield made
    made.audit()


@pytest.fixture
def origin() -> Iterator[Origin]:
    """Where a worker left its result."""
    with running_origin() as running:
        yield running
