"""The way to PostgreSQL: one engine per process, made on first use and remade after a fork.

Two ways in. `transaction()` is for ordinary reads and edits and commits once at the end.
`step()` is for lifecycle and money: one SQL function, one statement, one implicit transaction.
"""

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pg8000.exceptions import InterfaceError
from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from common.boundary import session_open
from common.prepared import speed_up
from common.settings import Settings

IDLE_SECONDS_BEFORE_PING = 20


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, the database is waited for before it counts as away.

    The server ends a statement itself after `statement_s`; `answer_s` is for a server that says
    nothing any more, and must be longer.
    """

    connect_s: float = 5.0
    statement_s: float = 10.0
    answer_s: float = 12.0
    ping_s: float = 3.0


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

    def __init__(self, settings: Settings, patience: Patience | None = None) -> None:
        self._settings, self._patience = settings, patience or Patience()
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._pid = 0

    @property
    def engine(self) -> Engine:
        """This process's engine. A copy inherited through a fork is never used."""
        if self._engine is None or self._pid != os.getpid():
            with self._lock:
                if self._engine is None or self._pid != os.getpid():
                    self._engine = _make_engine(self._settings, self._patience)
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


def detail(error: DBAPIError) -> str:
    """The DETAIL that our SQL functions send along, e.g. what is available."""
    args = getattr(error.orig, "args", ())
    return str(args[0].get("D", "")) if args and isinstance(args[0], dict) else ""


@contextmanager
def refusals(told: Mapping[str, Callable[[str], Exception]]) -> Iterator[None]:
    """Turns what our SQL functions refuse into errors: SQLSTATE to what makes one of the DETAIL.

    Around the step, not in it: the step must see the database's own error.
    """
    try:
        yield
    except DBAPIError as error:
        made = told.get(sqlstate(error))
        if made is None:
            raise
        raise made(detail(error)) from None


def violated(error: DBAPIError) -> str:
    """The name of the constraint that refused the statement, or an empty string."""
    args = getattr(error.orig, "args", ())
    return str(args[0].get("n", "")) if args and isinstance(args[0], dict) else ""


def _make_engine(settings: Settings, patience: Patience) -> Engine:
    options: dict[str, Any] = {
        "pool_size": settings.db_pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.db_pool_timeout_seconds,
        "pool_recycle": 1500,
        "pool_use_lifo": True,
    }
    if settings.database_url:
        # TLS to loopback costs 25 to 37 ms of CPU per connection and protects nothing.
        arguments = {"ssl_context": False, "timeout": patience.connect_s}
        engine = create_engine(settings.database_url, connect_args=arguments, **options)
    else:
        engine = create_engine(
            "postgresql+pg8000://", creator=lambda: _connect_cloud_sql(settings), **options
        )
    _prepare_connections(engine, settings.db_role, patience)
    _notice_broken_sockets(engine)
    return engine


def _connect_cloud_sql(settings: Settings) -> Any:
    """Opens one connection through the Cloud SQL connector, imported late (1 s of CPU)."""
    with _socket_errors():
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


def _prepare_connections(engine: Engine, role: str, patience: Patience) -> None:
    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: Any, named: Any) -> Any:
        with _socket_errors():
            return dialect.connect(*arguments, **named)

    @event.listens_for(engine, "connect")
    def take_role(dbapi_connection: Any, record: Any) -> None:
        """Whoever logged in, statements run as the application role and within a time limit."""
        speed_up(dbapi_connection)
        statement_ms = round(patience.statement_s * 1000)
        with _socket_errors():
            cursor = dbapi_connection.cursor()
            if role:
                cursor.execute(f'SET ROLE "{role}"')
            cursor.execute(f"SET statement_timeout = {statement_ms}")
            cursor.execute(f"SET lock_timeout = {round(statement_ms * 0.8)}")
            cursor.execute("SET idle_in_transaction_session_timeout = '30s'")
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.close()
            dbapi_connection.commit()
        _socket(dbapi_connection).settimeout(patience.answer_s)
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping_if_in_doubt(dbapi_connection: Any, record: Any, _proxy: Any) -> None:
        """A test on each use would cost a round trip: only a connection that has rested, or to
        which the server has said something unasked, is tested."""
        now = time.monotonic()
        rested = now - record.info.get("used_at", now) > IDLE_SECONDS_BEFORE_PING
        if rested or _has_news(dbapi_connection):
            _ping(dbapi_connection, patience)
        record.info["used_at"] = now


def _notice_broken_sockets(engine: Engine) -> None:
    @event.listens_for(engine, "handle_error")
    def broken(context: Any) -> None:
        """pg8000 lets a socket's own error through where it begins to read an answer; told so,
        SQLAlchemy renews this connection and those that wait in the pool."""
        error = context.original_exception
        if isinstance(error, OSError):
            context.is_disconnect = True
            raise OperationalError(context.statement, None, error, connection_invalidated=True)


@contextmanager
def _socket_errors() -> Iterator[None]:
    """The same for what happens before SQLAlchemy has the connection."""
    try:
        yield
    except OSError as error:
        raise InterfaceError("network error") from error


def _socket(dbapi_connection: Any) -> Any:
    """pg8000 has no other way to its socket."""
    return dbapi_connection._usock


def _has_news(dbapi_connection: Any) -> bool:
    """Whether something lies unread: a server that went away has said so, or has hung up."""
    connection = _socket(dbapi_connection)
    if connection is None:
        return True  # closed already, by whatever went wrong before
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _ping(dbapi_connection: Any, patience: Patience) -> None:
    """Raises DisconnectionError, on which SQLAlchemy takes another connection."""
    connection = _socket(dbapi_connection)
    try:
        connection.settimeout(patience.ping_s)
        cursor = dbapi_connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
        dbapi_connection.rollback()
        connection.settimeout(patience.answer_s)
    except Exception as error:
        raise DisconnectionError from error
