"""Tests of steps move credits: the books are checked after each."""

import uuid

import pytest

from common.db import Database
from tests.books import in_order, owner, steps
from tests.factories import Offer, make_consumer, make_offer
from tests.steps import Steps, violations

__all__ = ["in_order", "owner", "steps"]


@pytest.fixture
def offer(steps: Steps) -> Offer:
    """A model at 10 credits a run: 7 are the developer's."""
    return make_offer(steps.db)


@pytest.fixture
def consumer(steps: Steps) -> uuid.UUID:
    """Somebody with 30 credits."""
    return make_consumer(steps.db, credits_=30)


@pytest.fixture
def books(db: Database) -> Steps:
    """One run that waits, one that completed, one that was cancelled; in order so far."""
    steps = Steps(db)
    offer, consumer = make_offer(db), make_consumer(db, credits_=30)
    steps.start(offer, consumer)
    steps.observe(steps.begin(steps.start(offer, consumer)), "COMPLETED")
    steps.cancel(steps.start(offer, consumer), consumer)
    assert violations(db) == []
    return steps
