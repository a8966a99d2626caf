"""Rate limits per endpoint and operation (runpod.md 1.5), for endpoints that switch them on.

The factor by which running workers raise a limit is not published, so only the base counts.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from infra.local.runpod.clock import Clock
from infra.local.runpod.endpoint import Endpoint

WINDOW_SECONDS = 10.0
LIMITS: dict[str, tuple[int, int | None]] = {
    "run": (1000, 200),
    "runsync": (2000, 400),
    "status": (2000, 400),
    "stream": (2000, 400),
    "cancel": (100, 20),
    "purge-queue": (2, None),
    "requests": (10, 2),
}
"""Operation -> requests per window, and at the same time."""

OLD_QUEUE_LIMIT = 50
OLD_QUEUE_LIMIT_PER_WORKER = 500


class Rates:
    """Counts requests in fixed windows of simulated time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}
        self._open: Counter[tuple[str, str]] = Counter()

    def reset(self) -> None:
        self._windows.clear()

    @contextmanager
    def counted(self, endpoint: Endpoint, operation: str) -> Iterator[None]:
        """Count one request while it is answered.

        Raises:
            web.HTTPTooManyRequests: the endpoint limits rates and this is one too many.
        """
        limit = LIMITS.get(operation)
        if limit is None or not endpoint.settings.rate_limits:
            yield
            return
        key = (endpoint.id, operation)
        self._count(key, limit, endpoint)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1

    def _count(
        self, key: tuple[str, str], limit: tuple[int, int | None], endpoint: Endpoint
    ) -> None:
        window = int(self._clock.now() // WINDOW_SECONDS)
        number, count = self._windows.get(key, (window, 0))
        count = count + 1 if number == window else 1
        self._windows[key] = (window, count)
        per_window, at_once = limit
        if count > per_window or (at_once is not None and self._open[key] >= at_once):
            raise too_many(endpoint)


def check_queue(endpoint: Endpoint) -> None:
    """The limit on queued jobs that older documentation names (runpod.md 1.5).

    Raises:
        web.HTTPTooManyRequests: the endpoint has the limit switched on and is over it.
    """
    if not endpoint.settings.queue_limit:
        return
    waiting = sum(1 for job in endpoint.jobs.values() if job.status == "IN_QUEUE")
    most = max(OLD_QUEUE_LIMIT, endpoint.settings.workers_max * OLD_QUEUE_LIMIT_PER_WORKER)
    if waiting > most:
        raise too_many(endpoint)


def too_many(endpoint: Endpoint) -> web.HTTPTooManyRequests:
    """A 429; whether it says `Retry-After` is unknown, hence a setting (runpod.md 9)."""
    headers = {"Retry-After": "5"} if endpoint.settings.retry_after else None
    return web.HTTPTooManyRequests(text="Too Many Requests", headers=headers)
