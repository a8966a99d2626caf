"""Cloud Tasks for tests: the stand-in in a thread, with its hands on every delivery."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from infra.local.tasks import protos
from infra.local.tasks.delivery import Attempt
from infra.local.tasks.protos import Message
from infra.local.tasks.server import Served, serve
from infra.local.threaded import in_thread

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class WaitingTask:
    """A task that has not been done; `due` in Unix seconds."""

    name: str
    queue: str
    url: str
    body: bytes
    headers: dict[str, str]
    due: float
    attempts: int


class RunningTasks:
    """The stand-in's controls, callable from any thread."""

    def __init__(self, served: Served, loop: asyncio.AbstractEventLoop) -> None:
        self.target = served.target
        self.certs_url = served.certs_url
        self._broker = served.broker
        self._loop = loop

    def client(self) -> tasks_v2.CloudTasksClient:
        """The real client, connected here; a context manager that closes its channel."""
        return connect(self.target)

    def waiting(self) -> list[WaitingTask]:
        """Every task not yet done, by due time."""
        return self._do(lambda: sorted(map(_seen, self._broker.tasks.values()), key=_due))

    def attempts(self) -> list[Attempt]:
        """The dispatches so far, oldest first (the last 10,000)."""
        return self._do(lambda: list(self._broker.attempts))

    def hold(self) -> None:
        """Manual mode: nothing is dispatched until asked for."""
        self._do(lambda: self._broker.set_manual(True))

    def release(self) -> None:
        """Automatic mode: everything goes as it falls due."""
        self._do(lambda: self._broker.set_manual(False))

    def deliver(
        self, name: str, *, lose_answer: bool = False, now: dt.datetime | None = None
    ) -> Attempt:
        """Dispatch one waiting task now, due or not.

        With `lose_answer` the task stays although its target did the work: the next delivery is
        the duplicate that at-least-once allows.
        """
        moment = time.time() if now is None else now.timestamp()
        return self._run(self._broker.attempt(name, moment, lose_answer=lose_answer))

    def deliver_next(self) -> Attempt | None:
        """Dispatch the task due first, as if its time had come; None when none waits."""
        return self._run(self._deliver_first(until=float("inf")))

    def deliver_all_due(self, now: dt.datetime | None = None) -> list[Attempt]:
        """Dispatch, in order, all that is due at `now` and all that this makes due by then."""
        until = time.time() if now is None else now.timestamp()
        made: list[Attempt] = []
        while attempt := self._run(self._deliver_first(until=until)):
            made.append(attempt)
        return made

    def drop(self, name: str) -> None:
        """Lose a task: it is never delivered, and its name stays taken."""
        self._do(lambda: self._broker.forget(self._broker.find(name).name))

    async def _deliver_first(self, *, until: float) -> Attempt | None:
        first = self._broker.earliest()
        if first is None or first[1] > until:
            return None
        name, due = first
        return await self._broker.attempt(name, max(due, min(until, time.time())))

    def _do(self, action: Callable[[], Result]) -> Result:
        async def wrapped() -> Result:
            return action()

        return self._run(wrapped())

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)


def connect(target: str) -> tasks_v2.CloudTasksClient:
    """Google's client on an insecure channel to `target`."""
    channel = grpc.insecure_channel(target)
    return tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))


@contextmanager
def running_tasks(
    *,
    queues: Sequence[str | Message] = (),
    port: int = 0,
    journal: Path | None = None,
    manual: bool = False,
) -> Iterator[RunningTasks]:
    """Run the stand-in in a thread of its own until the context ends."""
    with in_thread(lambda: serve(queues=queues, port=port, journal=journal, manual=manual)) as (
        served,
        loop,
    ):
        yield RunningTasks(served, loop)


def _seen(task: Message) -> WaitingTask:
    return WaitingTask(
        name=task.name,
        queue=task.name.rpartition("/tasks/")[0],
        url=task.http_request.url,
        body=task.http_request.body,
        headers=dict(task.http_request.headers),
        due=protos.seconds(task.schedule_time),
        attempts=task.dispatch_count,
    )


def _due(task: WaitingTask) -> float:
    return task.due
