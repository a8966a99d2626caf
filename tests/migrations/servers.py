"""Databases as their owner sees them, and migrations as a deploy runs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from infra.local.postgres import PostgresServer
from migrations.run import engine_for


@contextmanager
def another_server(folder: Path) -> Iterator[PostgresServer]:
    """A server with roles of its own."""
    folder.chmod(0o755)
    server = PostgresServer(folder / "data", durable=False)
    server.start()
    try:
        yield server
    finally:
        server.stop(mode="immediate")


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A session in autocommit, as the owner."""
    with engine_for(url).connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def migrating(url: str) -> subprocess.Popen[str]:
    """A migration in a process of its own, as a deploy runs it."""
    return subprocess.Popen(
        [sys.executable, "-m", "migrations.run"],
        env=os.environ | {"MIGRATIONS_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
