"""One queue: which task is due next, and whether the queue's limits let it go now."""

from __future__ import annotations

import asyncio
import heapq
import itertools

from infra.local.tasks import protos
from infra.local.tasks.protos import Message
from infra.local.tasks.retry import RetryPolicy

DEFAULT_RATE = 500.0
DEFAULT_CONCURRENT = 1000


class Lane:
    """A queue's waiting tasks by due time, with its rate and concurrency limits."""

    def __init__(self, queue: Message) -> None:
        self.queue = queue
        self.due: dict[str, float] = {}
        self.in_flight = 0
        self.wake = asyncio.Event()
        self._heap: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._tokens = 1.0
        self._tokens_at = 0.0

    @property
    def policy(self) -> RetryPolicy:
        """The retry settings in force; what the queue leaves unset is Cloud Tasks' default."""
        config = self.queue.retry_config
        given: dict[str, float] = {
            "max_attempts": config.max_attempts,
            "max_retry_duration": protos.seconds(config.max_retry_duration),
            "min_backoff": protos.seconds(config.min_backoff),
            "max_backoff": protos.seconds(config.max_backoff),
            "max_doublings": config.max_doublings,
        }
        return RetryPolicy(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]

    def push(self, name: str, due: float) -> None:
        """Let a task wait until `due` (Unix seconds), in place of an earlier wait."""
        self.due[name] = due
        heapq.heappush(self._heap, (due, next(self._order), name))
        self.wake.set()

    def take(self, name: str) -> None:
        """Stop a task's wait: it is under way, or gone."""
        self.due.pop(name, None)

    def first(self) -> tuple[str, float] | None:
        """The task due first, with its time."""
        while self._heap:
            due, _, name = self._heap[0]
            if self.due.get(name) == due:
                return name, due
            heapq.heappop(self._heap)  # rescheduled or gone since it was pushed
        return None

    def delay(self, now: float) -> float | None:
        """Seconds until something may be dispatched; None until something changes."""
        limit = self.queue.rate_limits.max_concurrent_dispatches or DEFAULT_CONCURRENT
        first = self.first()
        if first is None or self.queue.state == protos.PAUSED or self.in_flight >= limit:
            return None
        if first[1] > now:
            return first[1] - now
        return self._rate_delay(now)

    def spend(self) -> None:
        """Count one dispatch against the rate."""
        self._tokens -= 1

    def _rate_delay(self, now: float) -> float:
        rate = self.queue.rate_limits.max_dispatches_per_second or DEFAULT_RATE
        burst = max(1.0, rate / 5)
        self._tokens = min(burst, self._tokens + max(0.0, now - self._tokens_at) * rate)
        self._tokens_at = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / rate
