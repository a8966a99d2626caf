"""Tests here look at the schema itself, as its owner, and leave it as they found it."""

from collections.abc import Iterator

import pytest

from infra.local.postgres import PostgresServer
from tests.books import owner

__all__ = ["owner"]


@pytest.fixture(scope="module")
def database_url(postgres: PostgresServer, template: str) -> Iterator[str]:
    """One migrated database for a whole file of tests."""
    postgres.create_database("migrated", template=template)
    yield postgres.url("migrated")
    postgres.drop_database("migrated")


@pytest.fixture
def empty_url(postgres: PostgresServer) -> Iterator[str]:
    """A database in which nothing was ever migrated."""
    postgres.create_database("empty")
    yield postgres.url("empty")
    postgres.drop_database("empty")
