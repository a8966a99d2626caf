"""A stand-in whose clock stands still, the real SDK on it, and webhook receivers."""

from collections.abc import Iterator

import pytest
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from infra.local.stripe.running import running_stripe, stripe_client
from tests.local.stripe.receiver import Receiver, running_receiver


@pytest.fixture
def control() -> Iterator[StripeControl]:
    with running_stripe(manual_clock=True) as running:
        yield running


@pytest.fixture
def stripe(control: StripeControl) -> StripeClient:
    """Stripe's own client."""
    return stripe_client(control)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def shop(control: StripeControl, receiver: Receiver) -> Receiver:
    """A receiver of the platform's own events, with the secret `whsec_own`."""
    control.add_receiver(receiver.url, secrets=["whsec_own"])
    return receiver
