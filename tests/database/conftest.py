"""The database at the other end of a link that can be broken."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import create_engine, make_url, pool, text

from common.db import Database, Patience
from common.settings import Settings
from infra.local.fault_proxy import WELL, Fault, Link, Mode
from infra.local.threaded import in_thread

IMPATIENT = Patience(connect_s=0.4, statement_s=0.5, answer_s=0.8, ping_s=0.3)


class BreakableDatabase:
    """What the application uses, what breaks its way there, and the owner's own way."""

    def __init__(self, settings: Settings, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        way = make_url(settings.database_url).set(port=link.port)
        self._direct_url = settings.database_url
        self._link, self._loop = link, loop
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

    def impose(self, mode: Mode, **more: int) -> None:
        """The fault is in force when this returns."""
        self._impose(Fault(mode, **more))

    def mend(self) -> None:
        self._impose(WELL)

    def _impose(self, fault: Fault) -> None:
        asyncio.run_coroutine_threadsafe(self._link.impose(fault), self._loop).result(5)

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

    @asynccontextmanager
    async def opened() -> AsyncIterator[Link]:
        link = Link(target)
        await link.open()
        yield link
        link.close()

    with in_thread(opened) as (link, loop):
        broken = BreakableDatabase(settings, link, loop)
        yield broken
        broken.db.dispose()
