"""A simulator whose clock stands still, an HTTP client of its job API, a webhook receiver."""

from collections.abc import Iterator

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.testing import running_simulator
from tests.local.runpod.receiver import Receiver, running_receiver


@pytest.fixture
def sim() -> Iterator[SimulatorClient]:
    with running_simulator(endpoints=["ep"], manual_clock=True) as simulator:
        yield simulator


@pytest.fixture
def api(sim: SimulatorClient) -> Iterator[httpx.Client]:
    """The job API of endpoint `ep`."""
    with httpx.Client(
        base_url=f"{sim.base_url}/ep",
        headers={"Authorization": f"Bearer {sim.key}"},
        timeout=30,
        trust_env=False,
    ) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running
