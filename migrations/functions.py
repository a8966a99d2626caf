"""Installs every slice's functions.sql after the tables, whenever migrations run.

The files are the only place where these functions are written, so file and database cannot
drift apart: running the same text again changes nothing (CREATE OR REPLACE). A changed
signature needs a DROP FUNCTION in a migration of its own.
"""

from pathlib import Path

from sqlalchemy import Connection, text

SLICES = (
    "outbox",
    "traffic",
    "events",
    "accounts",
    "keys",
    "catalog",
    "moderation",
    "credits",
    "payments",
    "webhooks",
    "uploads",
    "executions",
    "reviews",
    "analytics",
    "notebooks",
)
COMMON = Path(__file__).parent.parent / "common"


def function_files() -> list[Path]:
    """The existing functions.sql files, low slices first."""
    files = [COMMON / name / "functions.sql" for name in SLICES]
    return [file for file in files if file.exists()]


def install_functions(connection: Connection) -> None:
    """Runs each file whole, inside the migration's transaction."""
    for file in function_files():
        run_script(connection, file.read_text(encoding="utf-8"))


def run_script(connection: Connection, script: str) -> None:
    """Executes a script of many statements as PostgreSQL's simple protocol does."""
    connection.execute(text("SELECT 1"))  # the transaction is open before the raw cursor is used
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute_simple(script)
