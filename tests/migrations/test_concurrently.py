"""An index on a table in use: writes go on while it is built, and a failed attempt is repeated."""

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from infra.local.postgres import PostgresServer
from migrations.concurrently import create_index
from migrations.run import engine_for
from tests.migrations.servers import connected

INDEXES = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{}')"


@pytest.fixture
def crowd(empty_url: str) -> str:
    """A database with one table in which a value stands twice."""
    with connected(empty_url) as connection:
        connection.execute(text("CREATE SCHEMA ledger"))
        for table in ("runs", "ledger.runs"):
            connection.execute(text(f"CREATE TABLE {table} (n int)"))
            connection.execute(text(f"INSERT INTO {table} VALUES (1), (2), (2)"))
    return empty_url


def build(url: str, name: str, definition: str, *, unique: bool = False) -> None:
    """As a migration does it: inside Alembic's transaction."""
    engine = engine_for(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": False})
        with context.begin_transaction():
            create_index(Operations(context), name, definition, unique=unique)
    engine.dispose()


def valid(connection: Connection, name: str) -> bool | None:
    found: bool | None = connection.scalar(text(INDEXES.format(name)))
    return found


@pytest.mark.parametrize("name", ["runs_n", "ledger.runs_n"])
def test_an_index_is_built_once_however_often_it_is_asked_for(crowd: str, name: str) -> None:
    table = name.removesuffix("_n")
    for _ in range(2):
        build(crowd, name, f"{table} (n)")
    with connected(crowd) as connection:
        assert valid(connection, name) is True


def test_writes_go_on_while_it_is_built(postgres: PostgresServer, crowd: str) -> None:
    """An ordinary CREATE INDEX would have to wait for this writer, and the next ones for it."""
    with connected(crowd) as writer, connected(crowd) as other:
        writer.execute(text("BEGIN"))
        writer.execute(text("INSERT INTO runs VALUES (3)"))
        other.execute(text("SET lock_timeout = '100ms'"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            other.execute(text("CREATE INDEX runs_n ON runs (n)"))
        writer.execute(text("ROLLBACK"))
    build(crowd, "runs_n", "runs (n)")
    with connected(crowd) as connection:
        assert valid(connection, "runs_n") is True


@pytest.mark.parametrize("name", ["runs_n", "ledger.runs_n"])
def test_what_a_failed_attempt_left_is_replaced(crowd: str, name: str) -> None:
    table = name.removesuffix("_n")
    with pytest.raises(DBAPIError, match="could not create unique index"):
        build(crowd, name, f"{table} (n)", unique=True)
    with connected(crowd) as connection:
        assert valid(connection, name) is False
        connection.execute(text(f"DELETE FROM {table} WHERE n = 2"))
        build(crowd, name, f"{table} (n)", unique=True)
        assert valid(connection, name) is True
