"""Every outside call and every commit of the handlers, as named points at which they can die.

Points are not written into production code: they are found where the database and the gateways are
entered, and named after the function that enters them. `static_points` reads the same names from
the source, so that a call that no scenario reaches is noticed.
"""

import ast
import os
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from common.db import Database
from common.gateways.errors import GatewayError
from common.gateways.runpod import RunPodUnavailable, SubmitUnknown, Trouble
from common.gateways.storage import StorageUnavailable
from common.gateways.stripe_reports import StripeUnavailable
from common.gateways.tasks import TaskNotCreated
from common.settings import Settings
from tests.world import Crash

ROOT = Path(__file__).parents[2]
PARTS = ("runpod", "tasks", "storage", "outbound", "stripe")
RUNS = (
    "common/executions",
    "common/outbox",
    "functions/marketplace/runs.py",
    "functions/studio/test_runs.py",
    "functions/callback",
    "functions/tasks",
    "functions/cleanup",
)
PAYMENTS = (
    "common/payments",
    "functions/payments",
    "functions/marketplace/wallet.py",
    "functions/studio/earnings.py",
    "functions/admin/money.py",
)
Mode = Literal["crash before", "crash after", "time-out", "exception"]
MODES: tuple[Mode, ...] = ("crash before", "crash after", "time-out", "exception")


def modes_at(point: str) -> Sequence[Mode]:
    """How a point is struck: with CRASH_MODES=all in each way, else by a crash and an error, which
    are the same at each run and differ from point to point."""
    if os.environ.get("CRASH_MODES") == "all":
        return MODES
    other = zlib.crc32(point.encode()) % 2
    return MODES[other], MODES[3 - other]


class Points:
    """Records the points that are passed, and strikes once at the one that is armed."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.struck = False
        self._armed: tuple[str, Mode] | None = None
        self._lock = threading.Lock()

    def arm(self, point: str, mode: Mode) -> None:
        self._armed, self.struck = (point, mode), False

    def disarm(self) -> None:
        self._armed = None

    def disarmed(self) -> tuple[str, Mode] | None:
        """Disarms for a while; what is answered puts it back with `rearm`."""
        armed, self._armed = self._armed, None
        return armed

    def rearm(self, armed: tuple[str, Mode] | None) -> None:
        self._armed = armed

    def around(self, point: str, call: Callable[[], Any], outage: Callable[[], Exception]) -> Any:
        """Makes the call, unless this is where and how the process dies or the line breaks."""
        mode = self.before(point, outage)
        result = call()
        self.after(mode, outage)
        return result

    def before(self, point: str, outage: Callable[[], Exception]) -> Mode | None:
        """Passes a point; answers what is to happen after the call."""
        with self._lock:
            self.passed.append(point)
            mode = self._armed[1] if self._armed and self._armed[0] == point else None
            if mode:
                self._armed, self.struck = None, True
        if mode == "crash before":
            raise Crash
        if mode == "exception":
            raise outage()
        return mode

    def after(self, mode: Mode | None, outage: Callable[[], Exception]) -> None:
        """It was done; with a time-out nobody tells us so."""
        if mode == "crash after":
            raise Crash
        if mode == "time-out":
            raise outage()


class PointedGateway:
    """A gateway whose every method is a point."""

    def __init__(self, part: str, gateway: Any, points: Points) -> None:
        self._part, self._gateway, self._points = part, gateway, points

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._gateway, method)
        if not callable(call):  # a property asks nobody
            return call

        def pointed(*given: Any, **named: Any) -> Any:
            point = f"{self._part}.{method} in {_caller()}"
            outage = _outage(self._part, method)
            return self._points.around(point, lambda: call(*given, **named), outage)

        return pointed


class PointedConnection:
    """A connection in autocommit: each statement is a commit, and so a point."""

    def __init__(self, connection: Connection, points: Points) -> None:
        self._connection, self._points = connection, points

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._connection, name)
        if name not in {"execute", "scalar", "scalars", "exec_driver_sql"}:
            return call

        def pointed(*given: Any, **named: Any) -> Any:
            point = f"queries.{_query()} in {_caller()}"
            return self._points.around(point, lambda: call(*given, **named), _database_outage)

        return pointed


class PointedDatabase(Database):
    """A database whose every statement in autocommit and every commit is a point."""

    def __init__(self, settings: Settings, points: Points) -> None:
        super().__init__(settings)
        self._points = points

    @contextmanager
    def step(self) -> Iterator[Connection]:
        with super().step() as connection:
            yield PointedConnection(connection, self._points)  # type: ignore[misc]

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        point = f"commit in {_caller()}"
        with super().transaction() as session:
            yield session
            mode = self._points.before(point, _database_outage)
        self._points.after(mode, _database_outage)


def _database_outage() -> Exception:
    return OperationalError("", {}, ConnectionError("the connection is gone"))


def _outage(part: str, method: str) -> Callable[[], Exception]:
    """What the gateway itself raises when it gets no answer."""
    if (part, method) == ("runpod", "submit"):
        return lambda: SubmitUnknown("time-out")
    known: dict[str, Callable[[], Exception]] = {
        "runpod": lambda: RunPodUnavailable(Trouble.NETWORK),
        "tasks": lambda: TaskNotCreated("time-out"),
        "storage": lambda: StorageUnavailable("time-out"),
        "outbound": lambda: GatewayError("time-out"),
        "stripe": lambda: StripeUnavailable("time-out"),
    }
    return known[part]


def _ours() -> Iterator[FrameType]:
    """The frames of common and functions, innermost first, without the database's own file."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        ours = path.is_relative_to(ROOT / "common") or path.is_relative_to(ROOT / "functions")
        if ours and path.name != "db.py" and not frame.f_code.co_name.startswith("<"):
            yield frame
        frame = frame.f_back


def _caller() -> str:
    """The function of a service or handler that entered the database or a gateway."""
    for frame in _ours():
        if not Path(frame.f_code.co_filename).stem.endswith("queries"):
            return _place(Path(frame.f_code.co_filename), frame.f_code.co_name)
    return "nowhere of ours"


def _query() -> str:
    """The function of queries.py that runs the statement: the outermost one of them."""
    name = "?"
    for frame in _ours():
        if not Path(frame.f_code.co_filename).stem.endswith("queries"):
            return name
        name = frame.f_code.co_name
    return name


def _place(path: Path, function: str) -> str:
    relative = path.relative_to(ROOT)
    return f"{'.'.join(relative.with_suffix('').parts[1:])}.{function}"


def static_points(scope: tuple[str, ...]) -> set[str]:
    """Every point that the source of these files and folders has."""
    files = [f for each in scope for f in ([ROOT / each] if each.endswith(".py") else _py(each))]
    return {point for file in files for point in _points_of(file)}


def _py(folder: str) -> list[Path]:
    return [f for f in sorted((ROOT / folder).rglob("*.py")) if not f.stem.endswith("queries")]


def _points_of(file: Path) -> Iterator[str]:
    yield from _points_in(ast.parse(file.read_text(encoding="utf-8")), file, "")


def _points_in(node: ast.AST, file: Path, function: str) -> Iterator[str]:
    """A call belongs to the innermost function around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and (name := _point(child)):
            yield f"{name} in {_place(file, function)}"
        inner = child.name if isinstance(child, ast.FunctionDef) else function
        yield from _points_in(child, file, inner)


def _point(call: ast.Call) -> str | None:
    """The part of a call's name that says what it enters, if it enters anything."""
    match call.func:
        case ast.Attribute(attr=method, value=ast.Attribute(attr=part)) if part in PARTS:
            return f"{part}.{method}"
        case ast.Attribute(attr="transaction"):
            return "commit"
        case ast.Attribute(attr=query, value=ast.Name(id="queries")) if _connected(call):
            return f"queries.{query}"
        case _:
            return None


def _connected(call: ast.Call) -> bool:
    return (
        bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == "connection"
    )
