"""Indexes on tables that are in use: built without blocking writes, and again after a failure.

A migration that calls this does nothing else: what stands before it in the same file would be
committed without the file counting as done.
"""

from typing import Any

INVALID = """
SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($${name}$$) AND NOT indisvalid
"""


def create_index(op: Any, name: str, definition: str, *, unique: bool = False) -> None:
    """`CREATE INDEX CONCURRENTLY name ON definition`; `name` with its schema unless it is public.

    What an attempt that died left behind is invalid: it costs writes and serves no reader, so it
    goes first. Running this again after it succeeded changes nothing.
    """
    with op.get_context().autocommit_block():
        # pg8000 began a transaction when Alembic asked which isolation level was set.
        op.get_bind().connection.rollback()
        if op.get_bind().exec_driver_sql(INVALID.format(name=name)).first():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        kind = "UNIQUE INDEX" if unique else "INDEX"
        # An index lies in its table's schema, so the schema is not written here.
        plain = name.rsplit(".", maxsplit=1)[-1]
        op.execute(f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {plain} ON {definition}")
