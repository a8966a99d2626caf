"""The real database, reached by processes that may die around each of their commits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from common.db import Database
from common.settings import Settings
from tests.simulation.crashes import Steps
from tests.simulation.invocations import current


class MortalDatabase(Database):
    """Each statement of a step is a commit of its own, and each transaction is one."""

    def __init__(self, settings: Settings, steps: Steps) -> None:
        super().__init__(settings)
        self._steps = steps

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        fate = self._steps.fate()
        if fate == "before":
            self._steps.die("transaction", fate)
        with super().transaction() as session:
            yield session
            if fate == "at":  # the work is done, the commit is not: it is rolled back
                self._steps.die("transaction", fate)
        self._steps.overtake()
        if fate == "after":
            self._steps.die("transaction", fate)

    @contextmanager
    def step(self) -> Iterator[Connection]:
        with super().step() as connection:
            mortal = MortalConnection(connection, self._steps)
            yield cast("Connection", mortal)
        self._steps.overtake()
        if mortal.doomed:
            self._steps.die(mortal.last, "after")


class MortalConnection:
    """The part of a connection that queries use. A statement's answer may never arrive."""

    def __init__(self, connection: Connection, steps: Steps) -> None:
        self._connection = connection
        self._steps = steps
        self.doomed = False
        self.last = ""

    def execute(self, *args: Any) -> Any:
        return self._send(self._connection.execute, args)

    def scalar(self, *args: Any) -> Any:
        return self._send(self._connection.scalar, args)

    def scalars(self, *args: Any) -> Any:
        return self._send(self._connection.scalars, args)

    def _send(self, call: Any, args: tuple[Any, ...]) -> Any:
        self.last = getattr(args[0], "text", "select")[:40]
        fate = self._steps.fate()
        if fate == "before":
            self._steps.die(self.last, fate)
        lost = self._steps.dice.strikes("database_lost")
        current().excused |= lost
        if lost and self._steps.dice.rng.random() < 0.5:
            raise _connection_lost()
        answer = call(*args)
        if fate == "at":
            self._steps.die(self.last, fate)
        if lost:
            raise _connection_lost()
        self.doomed = self.doomed or fate == "after"
        return answer


def _connection_lost() -> OperationalError:
    """What a broken connection raises; whether the statement was committed, it does not say."""
    return OperationalError("a statement", {}, ConnectionResetError("connection lost"))
