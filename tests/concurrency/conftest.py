"""Races move credits from many threads: a larger pool, and the books are checked after each."""

import uuid
from collections.abc import Iterator

import pytest

from common.db import Database
from common.settings import Settings
from tests.books import in_order, owner, steps
from tests.concurrency.racing import warm
from tests.factories import Offer, make_consumer, make_offer
from tests.steps import Steps

__all__ = ["in_order", "owner", "steps"]
CONNECTIONS = 24


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """The database as the application reaches it, with connections for a crowd."""
    settings = Settings(
        database_url=database_url, db_pool_size=CONNECTIONS, db_pool_timeout_seconds=30
    )
    database = Database(settings)
    warm(database, CONNECTIONS)
    yield database
    database.dispose()


@pytest.fixture
def offer(steps: Steps) -> Offer:
    """A model at 10 credits a run: 7 are the developer's."""
    return make_offer(steps.db)


@pytest.fixture
def consumer(steps: Steps) -> uuid.UUID:
    """Somebody with credits for 7 runs."""
    return make_consumer(steps.db, credits_=70)
