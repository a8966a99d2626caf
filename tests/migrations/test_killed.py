"""A migration whose process is killed half way, really: the next one finishes the work."""

import signal
import time

import pytest
from sqlalchemy import Connection, text

from infra.local.postgres import PostgresServer
from infra.release.surface import definition
from tests.migrations.servers import connected, migrating

LOCKS = """
SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
 WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND datname = :name
"""


@pytest.mark.parametrize("locks", [10, 60, 150])
def test_a_migration_killed_half_way_leaves_nothing_and_the_next_one_finishes(
    postgres: PostgresServer, empty_url: str, owner: Connection, locks: int
) -> None:
    """Every table that it made is locked until it ends: their number says how far it is."""
    process = migrating(empty_url)
    _until(postgres, empty_url, locks)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    assert process.returncode == -signal.SIGKILL
    again = migrating(empty_url)
    _, errors = again.communicate(timeout=100)
    assert again.returncode == 0, errors
    with connected(empty_url) as connection:
        assert definition(connection) == definition(owner)


def test_a_killed_migration_leaves_no_table(postgres: PostgresServer, empty_url: str) -> None:
    process = migrating(empty_url)
    _until(postgres, empty_url, 60)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    with connected(empty_url) as connection:
        # Whoever has the migrations' lock after it knows that its session is over.
        connection.execute(text("SELECT pg_advisory_lock(7310000)"))
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'ledger')"
        assert connection.scalar(text(tables)) == 0


def _until(postgres: PostgresServer, url: str, locks: int) -> None:
    """Until the migration of that database holds so many tables and indexes."""
    name = url.rsplit("/", maxsplit=1)[-1]
    deadline = time.monotonic() + 60
    with connected(postgres.url("postgres")) as connection:
        while (connection.scalar(text(LOCKS), {"name": name}) or 0) < locks:
            assert time.monotonic() < deadline, "the migration did not come so far"
            time.sleep(0.002)
