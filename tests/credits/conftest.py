"""Tests here move credits without executions: the ledger's own books are checked after each."""

from collections.abc import Iterator

import pytest

from common.credits import queries
from common.db import Database
from tests.books import owner, steps

__all__ = ["in_order", "owner", "steps"]


@pytest.fixture
def in_order(db: Database) -> Iterator[None]:
    """When the test is over, none of I1 to I5 may be broken."""
    yield
    with db.step() as connection:
        assert queries.violations(connection) == []
