"""Tests of steps move credits: the books are checked after each."""

import uuid

import pytest

from tests.books import in_order, owner, steps
from tests.factories import Offer, make_consumer, make_offer
from tests.steps import Steps

__all__ = ["in_order", "owner", "steps"]


@pytest.fixture
def offer(steps: Steps) -> Offer:
    """A model at 10 credits a run: 7 are the developer's."""
    return make_offer(steps.db)


@pytest.fixture
def consumer(steps: Steps) -> uuid.UUID:
    """Somebody with 30 credits."""
    return make_consumer(steps.db, credits_=30)
