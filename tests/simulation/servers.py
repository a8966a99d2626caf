"""A PostgreSQL of the simulation's own, and a fresh database for each run."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.postgres import PostgresServer
from migrations.run import upgrade

TEMPLATE = "template_tarsify"


@contextmanager
def throwaway_server() -> Iterator[PostgresServer]:
    """A server that may forget everything, with a migrated template database."""
    with tempfile.TemporaryDirectory(prefix="tarsify-faults-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "data", durable=False)
        server.start()
        try:
            server.create_database(TEMPLATE)
            upgrade(server.url(TEMPLATE))
            yield server
        finally:
            server.stop(mode="immediate")


@contextmanager
def database(server: PostgresServer, name: str, template: str = TEMPLATE) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    server.create_database(name, template=template)
    try:
        yield server.url(name)
    finally:
        server.drop_database(name)
