"""The simulator's clock: real time by default, faster by a factor, or told by hand.

All instants are seconds since the epoch, in simulated time. Timers fire in the order of their
due times, whatever the size of the step that passes them.
"""

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Coroutine
from typing import Any

SETTLE_LIMIT_SECONDS = 2.0
"""Real seconds that a step waits for deliveries it caused; a slow receiver must not hang it."""


class Timer:
    """A callback due at a simulated instant; `cancel` is safe at any time."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callable[[], object]) -> None:
        self.due = due
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def fire(self) -> None:
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()


class Clock:
    """Simulated time, bound to the running asyncio loop.

    `scale` is simulated seconds per real second. A manual clock stands still until `advance`.
    """

    def __init__(self, *, scale: float = 1.0, manual: bool = False) -> None:
        self.scale = scale
        self.manual = manual
        self._anchor = time.time()
        self._anchor_real = time.monotonic()
        self._order = itertools.count()
        self._timers: list[tuple[float, int, Timer]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._activities: set[asyncio.Task[Any]] = set()
        self._stepping = asyncio.Lock()

    def now(self) -> float:
        """The present simulated instant, in seconds since the epoch."""
        if self.manual:
            return self._anchor
        return self._anchor + (time.monotonic() - self._anchor_real) * self.scale

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Fire `callback` after simulated `seconds`."""
        timer = Timer(self.now() + seconds, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        if self._timers[0][2] is timer:
            self._rearm()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait simulated `seconds`."""
        await self.wait(asyncio.get_running_loop().create_future(), seconds)

    async def wait(self, future: "asyncio.Future[Any]", seconds: float) -> bool:
        """Wait for `future` at most simulated `seconds`; tell whether it came.

        Under a manual clock the wait also ends after as many real seconds, so that a long poll
        cannot hang a test that forgot to advance.
        """
        if seconds <= 0:
            return future.done()
        deadline = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, deadline.cancel)
        try:
            await asyncio.wait(
                {future, deadline},
                timeout=seconds if self.manual else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            timer.cancel()
            deadline.cancel()
        return future.done()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run `work` beside the clock; a step by hand waits for it before it goes on."""
        task = asyncio.get_running_loop().create_task(work)
        self._activities.add(task)
        task.add_done_callback(self._activities.discard)
        return task

    async def advance(self, seconds: float) -> None:
        """Let simulated `seconds` pass at once, firing what falls due on the way, in order.

        Raises:
            ValueError: time would run backwards.
        """
        if seconds < 0:
            raise ValueError("time runs forwards only")
        async with self._stepping:
            target = self.now() + seconds
            while self._timers and self._timers[0][0] <= target:
                _, _, timer = heapq.heappop(self._timers)
                self._jump(max(self.now(), timer.due))
                timer.fire()
                await self._settle()
            self._jump(max(self.now(), target))
            self._rearm()
            await self._settle()

    def set(self, *, scale: float | None = None, manual: bool | None = None) -> None:
        """Change the speed, or stop and start the flow of time, without a jump.

        Raises:
            ValueError: a speed that is not above zero.
        """
        if scale is not None and scale <= 0:
            raise ValueError("scale must be above zero; a manual clock stands still")
        self._jump(self.now())
        self.scale = self.scale if scale is None else scale
        self.manual = self.manual if manual is None else manual
        self._rearm()

    def clear(self) -> None:
        """Forget all timers."""
        self._timers.clear()
        self._rearm()

    async def close(self) -> None:
        """Forget all timers and stop what `spawn` started."""
        self.clear()
        for task in self._activities:
            task.cancel()
        await asyncio.gather(*self._activities, return_exceptions=True)

    def _jump(self, instant: float) -> None:
        self._anchor = instant
        self._anchor_real = time.monotonic()

    def _rearm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._timers and not self.manual:
            wait = max(0.0, (self._timers[0][0] - self.now()) / self.scale)
            self._alarm = asyncio.get_running_loop().call_later(wait, self._fire_due)

    def _fire_due(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2].fire()
        self._rearm()

    async def _settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_LIMIT_SECONDS):
                while self._activities:
                    await asyncio.wait(set(self._activities))
