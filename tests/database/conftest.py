"""The database at the other end of a link that can be broken."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, make_url, pool, text

from common.db import Database, Patience
from common.settings import Settings
from infra.local.fault_proxy import Mode
from tests.links import BreakableLink, link_to

IMPATIENT = Patience(connect_s=0.4, statement_s=0.5, answer_s=0.8, ping_s=0.3)


class BreakableDatabase:
    """What the application uses, what breaks its way there, and the owner's own way."""

    def __init__(self, settings: Settings, link: BreakableLink) -> None:
        way = make_url(settings.database_url).set(port=link.port)
        self._direct_url = settings.database_url
        self._link = link
        self.db = Database(
            settings.model_copy(
                update={
                    "database_url": way.render_as_string(hide_password=False),
                    "db_pool_size": 3,
                    "db_pool_timeout_seconds": 0.3,
                }
            ),
            IMPATIENT,
        )

    def impose(self, mode: Mode) -> None:
        self._link.impose(mode)

    def mend(self) -> None:
        self._link.mend()

    def backend(self) -> int:
        """The server's process behind the connection that a step gets now."""
        with self.db.step() as connection:
            return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    def terminate_backends(self) -> None:
        """What an operator or a failover does to every connection of the application."""
        engine = create_engine(
            self._direct_url, poolclass=pool.NullPool, connect_args={"ssl_context": False}
        )
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )


@pytest.fixture
def breakable(settings: Settings) -> Iterator[BreakableDatabase]:
    target = make_url(settings.database_url).port
    assert target is not None
    with link_to(target) as link:
        broken = BreakableDatabase(settings, link)
        yield broken
        broken.db.dispose()
