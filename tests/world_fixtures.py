"""Fixtures of a whole Tarsify (tests/world.py); the stand-ins are shared by a test process."""

from collections.abc import Iterator

import pytest

from common.gateways.tasks import KINDS
from common.moderation import service as moderation
from common.settings import Settings
from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.testing import running_simulator
from infra.local.storage.running import RunningStorage, running_storage
from infra.local.stripe.client import StripeControl
from infra.local.stripe.running import running_stripe
from infra.local.tasks.running import RunningTasks, running_tasks
from tests.world import CONNECT_SECRET, STRIPE_SECRET, World, serving, world_of

QUEUES = [Settings().task_queue_path(kind) for kind in KINDS]


@pytest.fixture(scope="session")
def world_simulator() -> Iterator[SimulatorClient]:
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="session")
def world_tasks() -> Iterator[RunningTasks]:
    with running_tasks(queues=QUEUES, manual=True) as running:
        yield running


@pytest.fixture(scope="session")
def world_storage() -> Iterator[RunningStorage]:
    with running_storage(buckets=["tarsify-outputs", "tarsify-uploads"]) as running:
        yield running


@pytest.fixture(scope="session")
def world_base() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(scope="session")
def world_stripe(world_base: str) -> Iterator[StripeControl]:
    with running_stripe() as control:
        address = f"{world_base}/api/webhooks/stripe"
        control.add_receiver(address, secrets=[STRIPE_SECRET])
        control.add_receiver(f"{address}/connect", secrets=[CONNECT_SECRET], connect=True)
        yield control


@pytest.fixture
def world(
    settings: Settings,
    *,
    world_simulator: SimulatorClient,
    world_tasks: RunningTasks,
    world_storage: RunningStorage,
    world_stripe: StripeControl,
    world_base: str,
) -> Iterator[World]:
    moderation._TERMS.forget("all")  # of the world before
    with world_of(
        settings,
        simulator=world_simulator,
        task_queue=world_tasks,
        storage=world_storage,
        stripe=world_stripe,
        base=world_base,
    ) as made:
        yield made
