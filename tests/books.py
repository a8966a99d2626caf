"""Fixtures of tests that move credits. A conftest.py takes what it needs by importing it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, pool

from common.db import Database
from tests.steps import Steps, violations


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection]:
    """The database as its owner, who is bound by constraints and triggers alone."""
    engine = create_engine(
        database_url, poolclass=pool.NullPool, connect_args={"ssl_context": False}
    )
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@pytest.fixture
def in_order(db: Database) -> Iterator[None]:
    """When the test is over, no invariant may be broken."""
    yield
    assert violations(db) == []


@pytest.fixture
def steps(db: Database, in_order: None) -> Steps:
    """Steps at a clock of the test's own; the books must be in order at the end."""
    return Steps(db)
