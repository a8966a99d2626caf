"""A real PostgreSQL, built by the migrations; each test gets a database of its own."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.db import Database
from common.settings import Settings
from infra.local.postgres import PostgresServer
from migrations.run import upgrade

_numbers = itertools.count()
# Files with few tests that take long: begun last, one would keep one core while the other is idle.
LONG = (
    "test_money_model.py",
    "test_mutations.py",
    "test_simulation.py",
    "test_payment_crashes.py",
    "test_crash_matrix.py",
    "test_survival.py",
    "test_soak.py",
    "test_bench.py",
    "test_ledger.py",
    "test_infrastructure_faults.py",
    "test_up.py",
    "test_verify.py",
    "test_document_links.py",
    "test_documented.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; otherwise the order stays."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server per test process, without fsync: only tests may lose data."""
    with tempfile.TemporaryDirectory(prefix="tarsify-test-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "data", durable=False)
        server.start()
        try:
            yield server
        finally:
            server.stop(mode="immediate")


@pytest.fixture(scope="session")
def template(postgres: PostgresServer) -> str:
    """A migrated, empty database that others are copied from."""
    postgres.create_database("template_tarsify")
    upgrade(postgres.url("template_tarsify"))
    return "template_tarsify"


@pytest.fixture
def database_url(postgres: PostgresServer, template: str) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    postgres.create_database(name, template=template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database_url=database_url, db_pool_size=10, catalogue_seconds=0, rate_limit_scale=1000
    )


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    """The database as the application reaches it: as the application role."""
    database = Database(settings)
    yield database
    database.dispose()
