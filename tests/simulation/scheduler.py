"""Virtual time: one heap of events, ties and chances decided by the seed alone.

Every event is a greenlet, so that handlers run as processes do: while one waits for the outside
world, `pass_time` lets others go on, in any order and for as long as they like. All of it is one
thread, and only one greenlet runs at a time.
"""

import hashlib
import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any, TextIO

from greenlet import (
    GreenletExit,
    getcurrent,
    greenlet,
)

from tests.factories import NOW


class Scheduler:
    """Seconds since the start, and what happens when. Also the clock of the code under test."""

    def __init__(self, rng: Random, trace: TextIO | None = None) -> None:
        self.rng = rng
        self.seconds = 0.0
        self.events = 0
        self._hub = getcurrent()
        self._heap: list[tuple[float, float, int, greenlet, tuple[Any, ...]]] = []
        self._pushed = 0
        self._digest = hashlib.sha256()
        self._trace = trace

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)

    def seconds_until(self, moment: datetime) -> float:
        return (moment - self.now()).total_seconds()

    def at(self, delay: float, action: Callable[..., None], *args: Any) -> None:
        """Plans an event; which of two at the same time comes first is a matter of chance."""
        self._push(delay, greenlet(action, parent=self._hub), args)

    def run(self, *, until: Callable[[], bool]) -> None:
        """Plays events in order until there are none or `until` says so."""
        while self._heap and not until():
            self.seconds, _, _, event, args = heapq.heappop(self._heap)
            self.events += 1
            event.switch(*args)
        self._leave()

    def pass_time(self, seconds: float) -> None:
        """The caller waits while others go on."""
        current = getcurrent()
        if current is self._hub:  # nothing else has begun yet
            self.seconds += seconds
            return
        self._push(seconds, current, ())
        self._hub.switch()

    def note(self, *words: Any) -> None:
        """Adds a line to the record of the run, whose digest tells two runs apart."""
        line = f"{self.seconds:.6f} {' '.join(map(str, words))}\n"
        self._digest.update(line.encode())
        if self._trace is not None:
            self._trace.write(line)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def _push(self, delay: float, event: greenlet, args: tuple[Any, ...]) -> None:
        self._pushed += 1
        due = self.seconds + max(delay, 0.0)
        heapq.heappush(self._heap, (due, self.rng.random(), self._pushed, event, args))

    def _leave(self) -> None:
        """Ends what still waits in the middle of something, so that nothing outlives the run."""
        for _, _, _, event, _ in self._heap:
            if event:
                event.throw(GreenletExit)
