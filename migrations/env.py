"""Runs migrations: one at a time, never waiting long for a lock, functions last."""

import time

from alembic import context
from sqlalchemy import Connection, text

from migrations.functions import install_functions
from migrations.metadata import metadata
from migrations.run import engine_for

ADVISORY_LOCK = 7_310_000
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"
MOST_WAITING_SECONDS = 600


def _migrate(connection: Connection) -> None:
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    # Another migration may take minutes; the short limit is for tables that people use.
    _await_turn(connection)
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=metadata(),
            compare_type=True,
            include_schemas=True,
            transaction_per_migration=False,
        )
        with context.begin_transaction():
            context.run_migrations()
            if context.config.attributes.get("functions", True):
                install_functions(connection)
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()


def _await_turn(connection: Connection) -> None:
    """Asks again and again, with no transaction open in between: an index that is being built
    beside the traffic waits for every transaction to end, also for one that waits its turn."""
    ends_at = time.monotonic() + MOST_WAITING_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_LOCK}):
        connection.commit()
        if time.monotonic() > ends_at:
            raise TimeoutError("another migration did not end")
        time.sleep(0.2)


def main() -> None:
    given = context.config.attributes.get("engine")
    engine = given or engine_for(context.config.get_main_option("sqlalchemy.url") or "")
    with engine.connect() as connection:
        _migrate(connection)
    if not given:
        engine.dispose()


main()
