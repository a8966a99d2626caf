"""Runs migrations: one at a time, never waiting long for a lock, functions last."""

from alembic import context
from sqlalchemy import Connection, text

from migrations.functions import install_functions
from migrations.metadata import metadata
from migrations.run import engine_for

ADVISORY_LOCK = 7_310_000
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"


def _migrate(connection: Connection) -> None:
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    # Another migration may take minutes; the short limit is for tables that people use.
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
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


def main() -> None:
    given = context.config.attributes.get("engine")
    engine = given or engine_for(context.config.get_main_option("sqlalchemy.url") or "")
    with engine.connect() as connection:
        _migrate(connection)
    if not given:
        engine.dispose()


main()
