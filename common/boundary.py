"""The line between the database and the network: no call crosses it while a session is open.

A slow vendor would otherwise keep a connection and its row locks for as long as it pleases.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_open_sessions: ContextVar[int] = ContextVar("open_sessions", default=0)


@contextmanager
def session_open() -> Iterator[None]:
    """Marks this thread as holding a database session."""
    token = _open_sessions.set(_open_sessions.get() + 1)
    try:
        yield
    finally:
        _open_sessions.reset(token)


def assert_no_session() -> None:
    """Called by every gateway before it touches the network."""
    if _open_sessions.get():
        raise RuntimeError("network call inside a database session: move it outside")
