"""Health routes, the same on every function. Ready means that the database answered just now."""

import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from sqlalchemy.exc import SQLAlchemyError

from common.clock import Clock
from common.db import Database
from common.errors import NotReady
from common.http.app import App
from common.http.call import Call
from common.http.wire import Out, Timestamp
from common.settings import Settings

_STARTED = time.monotonic()


class Parts(Protocol):
    """What health looks at; common.runtime.Runtime is one."""

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...


class Check(Out):
    """One part that the function needs; latency in ms."""

    status: Literal["pass", "fail"]
    latency: int


class Health(Out):
    """That the process answers; uptime in whole seconds."""

    status: Literal["healthy", "alive"]
    timestamp: Timestamp
    service: str
    version: str
    environment: str
    uptime: int


class Readiness(Health):
    """That the process and its database answer."""

    checks: dict[str, Check]


def add_health(app: App, parts: Callable[[], Parts]) -> None:
    """Adds /health, /health/live and /health/ready to a function."""

    @app.route("GET", "/health", guard=None, out=Health, unlimited=True)
    def health(_call: Call[None, None, None]) -> Health:
        """Answers while the process runs."""
        return Health(**_facts(app, parts()), status="healthy")

    @app.route("GET", "/health/live", guard=None, out=Health, unlimited=True)
    def live(_call: Call[None, None, None]) -> Health:
        """Answers while the process runs."""
        return Health(**_facts(app, parts()), status="alive")

    @app.route(
        "GET", "/health/ready", guard=None, out=Readiness, errors=(NotReady,), unlimited=True
    )
    def ready(_call: Call[None, None, None]) -> Readiness:
        """Asks the database before it answers."""
        return Readiness(
            **_facts(app, parts()), status="healthy", checks={"database": _database(parts().db)}
        )


def _facts(app: App, parts: Parts) -> dict[str, Any]:
    return {
        "timestamp": parts.clock.now(),
        "service": f"tarsify-{app.name}",
        "version": parts.settings.release,
        "environment": parts.settings.environment,
        "uptime": int(time.monotonic() - _STARTED),
    }


def _database(db: Database) -> Check:
    started = time.perf_counter()
    try:
        db.ping()
    except SQLAlchemyError as error:
        raise NotReady(checks={"database": {"status": "fail"}}) from error
    return Check(status="pass", latency=round((time.perf_counter() - started) * 1000))
