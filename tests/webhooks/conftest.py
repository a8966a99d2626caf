"""A whole Tarsify with someone to tell things to."""

from collections.abc import Iterator

import pytest

from common.gateways.outbound import Outbound
from tests.webhooks.receiver import Receiver, running_receiver
from tests.world import World
from tests.world_fixtures import (
    world,
    world_base,
    world_simulator,
    world_storage,
    world_stripe,
    world_tasks,
)

__all__ = [
    "world", "world_base", "world_simulator", "world_storage", "world_stripe", "world_tasks",
]  # fmt: skip


@pytest.fixture
def receiver(world: World) -> Iterator[Receiver]:
    """A receiver that this installation may reach although it is on this machine."""
    with running_receiver() as running:
        world.runtime.__dict__["outbound"] = Outbound([running.origin])
        yield running
