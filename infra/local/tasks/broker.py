"""The queues and their tasks: create once, deliver at least once, back off, give up."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import deque
from collections.abc import Iterator

import grpc

from infra.local.tasks import protos
from infra.local.tasks.delivery import Attempt, Courier
from infra.local.tasks.journal import Journal
from infra.local.tasks.lane import Lane
from infra.local.tasks.protos import Message

NAME_REUSE = 24 * 3600.0
FURTHEST = 30 * 24 * 3600.0
LARGEST = 1024 * 1024
LONGEST_URL = 2083
DEADLINES = (15.0, 1800.0)
QUEUE_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/queues/[A-Za-z0-9-]{1,100}")
TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")
GENERATED_ID = re.compile(r"/tasks/[0-9]{19}$")
WITH_BODY = {"POST", "PUT", "PATCH"}


class Refused(Exception):
    """An RPC's refusal with its gRPC status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Broker:
    """All state, kept in one event loop; every change is journalled before it is answered.

    With `manual` nothing is dispatched until it is asked for.
    """

    def __init__(self, journal: Journal, courier: Courier, *, manual: bool = False) -> None:
        self.tasks: dict[str, Message] = {}
        self.lanes: dict[str, Lane] = {}
        self.attempts: deque[Attempt] = deque(maxlen=10_000)
        self.manual = manual
        self._journal = journal
        self._courier = courier
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._spent = journal.spent(time.time())
        self._restore()

    def _restore(self) -> None:
        for body in self._journal.queues():
            self._open(protos.Queue.FromString(body))
        for body in self._journal.tasks():
            task = protos.Task.FromString(body)
            self.tasks[task.name] = task
            self._lane_of(task.name).push(task.name, protos.seconds(task.schedule_time))

    async def close(self) -> None:
        """Stop dispatching; what is under way is dropped and will be delivered again."""
        running = [*self._loops.values(), *self._under_way]
        for job in running:
            job.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    # -- queues

    def lane(self, name: str) -> Lane:
        """The queue called `name`; refuses NOT_FOUND."""
        if name not in self.lanes:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Queue does not exist: {name}")
        return self.lanes[name]

    def create_queue(self, queue: Message) -> Message:
        """Make a queue; refuses a second one of the same name."""
        if not QUEUE_NAME.fullmatch(queue.name):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"Malformed queue name: {queue.name}")
        if queue.name in self.lanes:
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"Queue already exists: {queue.name}")
        queue.state = protos.RUNNING
        self.save_queue(queue)
        self._open(queue)
        return queue

    def save_queue(self, queue: Message) -> None:
        """Journal a queue's settings after a change and let its loop look again."""
        self._journal.save_queue(queue.name, queue.SerializeToString())
        if queue.name in self.lanes:
            self.lanes[queue.name].wake.set()

    def delete_queue(self, name: str) -> None:
        """Remove a queue with its tasks."""
        self.purge(name)
        self._journal.forget_queue(name)
        self._loops.pop(name).cancel()
        del self.lanes[name]

    def purge(self, name: str) -> None:
        """Remove a queue's tasks."""
        self.lane(name)
        for task in [it for it in self.tasks if it.startswith(f"{name}/tasks/")]:
            self.forget(task)

    def _open(self, queue: Message) -> None:
        lane = self.lanes[queue.name] = Lane(queue)
        self._loops[queue.name] = asyncio.get_running_loop().create_task(self._drain(lane))

    # -- tasks

    def create(self, parent: str, task: Message) -> Message:
        """Accept a task: journalled, then waiting. Refuses a name used in the last 24 hours."""
        lane, now = self.lane(parent), time.time()
        _check(task, now)
        task.name = self._claim_name(parent, task.name, now)
        protos.put_seconds(task.create_time, now)
        due = max(now, protos.seconds(task.schedule_time))
        protos.put_seconds(task.schedule_time, due)
        if not task.HasField("dispatch_deadline"):
            task.dispatch_deadline.seconds = 600
        self._journal.save_task(task.name, task.SerializeToString())
        self.tasks[task.name] = task
        lane.push(task.name, due)
        return task

    def _claim_name(self, parent: str, name: str, now: float) -> str:
        if not name:
            return f"{parent}/tasks/{secrets.randbelow(10**19):019d}"
        queue, _, short = name.rpartition("/tasks/")
        if queue != parent or not TASK_ID.fullmatch(short):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"Malformed task name: {name}")
        if name in self.tasks or self._spent.get(name, 0.0) > now:
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, "Requested entity already exists")
        return name

    def find(self, name: str) -> Message:
        """The waiting task called `name`; refuses NOT_FOUND."""
        if name not in self.tasks:
            raise Refused(grpc.StatusCode.NOT_FOUND, "Requested entity was not found.")
        return self.tasks[name]

    def of_queue(self, name: str) -> Iterator[Message]:
        """A queue's waiting tasks, in the order they were made."""
        prefix = f"{self.lane(name).queue.name}/tasks/"
        return (task for task in self.tasks.values() if task.name.startswith(prefix))

    def forget(self, name: str) -> None:
        """End a task, done or not; a name that its maker chose stays taken for 24 hours."""
        until = None if GENERATED_ID.search(name) else time.time() + NAME_REUSE
        self._journal.forget_task(name, spent_until=until)
        if until:
            self._spent[name] = until
        self._lane_of(name).take(name)
        del self.tasks[name]

    def earliest(self) -> tuple[str, float] | None:
        """The task due first over all queues, with its due time."""
        firsts = (lane.first() for lane in self.lanes.values())
        return min((it for it in firsts if it), key=lambda it: it[1], default=None)

    def _lane_of(self, task: str) -> Lane:
        return self.lanes[task.rpartition("/tasks/")[0]]

    # -- dispatch

    def set_manual(self, manual: bool) -> None:
        """Hold everything, or let everything go as it falls due."""
        self.manual = manual
        for lane in self.lanes.values():
            lane.wake.set()

    async def _drain(self, lane: Lane) -> None:
        while True:
            delay = None if self.manual else lane.delay(time.time())
            if delay == 0:
                self._start(lane)
                await asyncio.sleep(0)  # lets it count itself as in flight, and RPCs have a turn
                continue
            lane.wake.clear()
            try:
                await asyncio.wait_for(lane.wake.wait(), delay)
            except TimeoutError:
                continue

    def _start(self, lane: Lane) -> None:
        first = lane.first()
        assert first is not None
        lane.spend()
        lane.take(first[0])
        job = asyncio.get_running_loop().create_task(self._attempt_if_there(first[0]))
        self._under_way.add(job)
        job.add_done_callback(self._under_way.discard)

    async def _attempt_if_there(self, name: str) -> None:
        if name in self.tasks:
            await self.attempt(name, time.time())

    async def attempt(self, name: str, now: float, *, lose_answer: bool = False) -> Attempt:
        """Dispatch a task once and act on the answer, as if the time were `now`.

        `lose_answer` is the network losing it: the target did its work, the task stays.
        """
        task, lane = self.find(name), self._lane_of(name)
        lane.take(name)
        lane.in_flight += 1
        try:
            task.dispatch_count += 1
            attempt = await self._courier.deliver(task, now)
        finally:
            lane.in_flight -= 1
            lane.wake.set()
        self.attempts.append(attempt)
        if name in self.tasks:  # it may have been deleted meanwhile
            self._settle(task, lane, attempt, lost=lose_answer)
        return attempt

    def _settle(self, task: Message, lane: Lane, attempt: Attempt, *, lost: bool) -> None:
        if attempt.succeeded and not lost:
            return self.forget(task.name)
        if not task.HasField("first_attempt"):
            protos.put_seconds(task.first_attempt.dispatch_time, attempt.at)
        _record(task, attempt, lost=lost)
        age = attempt.at - protos.seconds(task.first_attempt.dispatch_time)
        policy = lane.policy
        if policy.gives_up(attempts=task.dispatch_count, age=age):
            return self.forget(task.name)
        wait = max(policy.backoff(task.dispatch_count), attempt.retry_after or 0.0)
        protos.put_seconds(task.schedule_time, attempt.at + wait)
        self._journal.save_task(task.name, task.SerializeToString())
        return lane.push(task.name, attempt.at + wait)


def _record(task: Message, attempt: Attempt, *, lost: bool) -> None:
    protos.put_seconds(task.last_attempt.dispatch_time, attempt.at)
    status = task.last_attempt.response_status
    if attempt.status is None or lost:
        status.code = grpc.StatusCode.UNAVAILABLE.value[0]
        status.message = attempt.error or "the answer was lost"
        return
    task.response_count += 1
    status.code = grpc.StatusCode.UNKNOWN.value[0]
    status.message = f"HTTP {attempt.status}"


def _check(task: Message, now: float) -> None:
    request = task.http_request
    deadline = protos.seconds(task.dispatch_deadline)
    verb = protos.method_name(request.http_method)
    problems = {
        "Task must have an HTTP request": not task.HasField("http_request"),
        "HttpRequest.url must start with 'http://' or 'https://'": not request.url.startswith(
            ("http://", "https://")
        ),
        "HttpRequest.url is too long": len(request.url) > LONGEST_URL,
        "HttpRequest.body is not allowed with this method": request.body and verb not in WITH_BODY,
        "Task size too large": task.ByteSize() > LARGEST,
        "Task.scheduleTime is too far in the future": protos.seconds(task.schedule_time)
        > now + FURTHEST,
        "Task.dispatchDeadline must be between 15s and 30m": deadline
        and not DEADLINES[0] <= deadline <= DEADLINES[1],
    }
    for problem, found in problems.items():
        if found:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, problem)
