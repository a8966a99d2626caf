"""The way to PostgreSQL: one engine per process, made on first use and remade after a fork.

Two ways in. `transaction()` is for ordinary reads and edits and commits once at the end.
`step()` is for lifecycle and money: one SQL function, one statement, one implicit transaction.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from common.boundary import session_open
from common.prepared import speed_up
from common.settings import Settings

IDLE_SECONDS_BEFORE_PING = 20


class Table(DeclarativeBase):
    """Base of every ORM class; constraint names are derived so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database:
    """Sessions and single-statement steps on one PostgreSQL database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._pid = 0

    @property
    def engine(self) -> Engine:
        """This process's engine. A copy inherited through a fork is never used."""
        if self._engine is None or self._pid != os.getpid():
            with self._lock:
                if self._engine is None or self._pid != os.getpid():
                    self._engine = _make_engine(self._settings)
                    self._pid = os.getpid()
        return self._engine

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits when the block ends and rolls back when it raises."""
        with (
            session_open(),
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def step(self) -> Iterator[Connection]:
        """A connection in autocommit: each statement is its own transaction."""
        with session_open(), self.engine.connect() as connection:
            # SQLAlchemy's own AUTOCOMMIT level costs three round trips to put back.
            driver: Any = connection.connection.driver_connection
            driver.autocommit = True
            try:
                yield connection
            finally:
                driver.autocommit = False

    def ping(self) -> None:
        """One round trip; raises SQLAlchemyError when the database does not answer."""
        with self.step() as connection:
            connection.exec_driver_sql("SELECT 1")

    def dispose(self) -> None:
        """Closes the pool; the next use opens a new one."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def sqlstate(error: DBAPIError) -> str:
    """The five-character SQLSTATE; pg8000 carries it in the first argument under `C`."""
    args = getattr(error.orig, "args", ())
    return str(args[0].get("C", "")) if args and isinstance(args[0], dict) else ""


def violated(error: DBAPIError) -> str:
    """The name of the constraint that refused the statement, or an empty string."""
    args = getattr(error.orig, "args", ())
    return str(args[0].get("n", "")) if args and isinstance(args[0], dict) else ""


def _make_engine(settings: Settings) -> Engine:
    options: dict[str, Any] = {
        "pool_size": settings.db_pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.db_pool_timeout_seconds,
        "pool_recycle": 1500,
        "pool_use_lifo": True,
    }
    if settings.database_url:
        # TLS to loopback costs 25 to 37 ms of CPU per connection and protects nothing.
        arguments = {"ssl_context": False, "timeout": 30}
        engine = create_engine(settings.database_url, connect_args=arguments, **options)
    else:
        engine = create_engine(
            "postgresql+pg8000://", creator=lambda: _connect_cloud_sql(settings), **options
        )
    _prepare_connections(engine, settings.db_role)
    return engine


def _connect_cloud_sql(settings: Settings) -> Any:
    """Opens one connection through the Cloud SQL connector, imported late (1 s of CPU)."""
    return _connector().connect(
        settings.cloud_sql_instance,
        "pg8000",
        user=settings.db_user,
        db=settings.db_name,
        enable_iam_auth=True,
        timeout=10,
    )


_connectors: dict[int, Any] = {}


def _connector() -> Any:
    """One connector per process: built before a fork it hangs (platform.md 1.1)."""
    if os.getpid() not in _connectors:
        from google.cloud.sql.connector import Connector

        _connectors[os.getpid()] = Connector(refresh_strategy="lazy", ip_type="private")
    return _connectors[os.getpid()]


def _prepare_connections(engine: Engine, role: str) -> None:
    @event.listens_for(engine, "connect")
    def take_role(dbapi_connection: Any, record: Any) -> None:
        """Whoever logged in, statements run as the application role and within a time limit."""
        speed_up(dbapi_connection)
        cursor = dbapi_connection.cursor()
        if role:
            cursor.execute(f'SET ROLE "{role}"')
        cursor.execute("SET statement_timeout = '15s'")
        cursor.execute("SET lock_timeout = '10s'")
        cursor.execute("SET idle_in_transaction_session_timeout = '30s'")
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.close()
        dbapi_connection.commit()
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping_after_a_pause(dbapi_connection: Any, record: Any, _proxy: Any) -> None:
        """Only a rested connection is tested: a test on each use would cost a round trip."""
        now = time.monotonic()
        if now - record.info.get("used_at", now) > IDLE_SECONDS_BEFORE_PING:
            _ping(dbapi_connection)
        record.info["used_at"] = now


def _ping(dbapi_connection: Any) -> None:
    from sqlalchemy.exc import DisconnectionError

    try:
        cursor = dbapi_connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
        dbapi_connection.rollback()
    except Exception as error:
        raise DisconnectionError from error
