"""Virtual time: one heap of events, ties and chances decided by the seed alone.

Handlers run in one thread, but not one after the other: while one waits for the outside world,
`pass_time` lets what else is due happen inside that wait, as other processes would.
"""

import hashlib
import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any, TextIO

from tests.factories import NOW

MAX_NESTED = 4


class Scheduler:
    """Seconds since the start, and what happens when. Also the clock of the code under test."""

    def __init__(self, rng: Random, trace: TextIO | None = None) -> None:
        self.rng = rng
        self.seconds = 0.0
        self.events = 0
        self._heap: list[tuple[float, float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._pushed = 0
        self._depth = 0
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
        self._pushed += 1
        due = self.seconds + max(delay, 0.0)
        heapq.heappush(self._heap, (due, self.rng.random(), self._pushed, action, args))

    def run(self, *, until: Callable[[], bool]) -> None:
        """Plays events in order until there are none or `until` says so."""
        while self._heap and not until():
            self._play()

    def pass_time(self, seconds: float) -> None:
        """The caller waits; others go on meanwhile. What they do may take them past the wait."""
        end = self.seconds + seconds
        while self._depth < MAX_NESTED and self._heap and self._heap[0][0] <= end:
            self._play()
        self.seconds = max(self.seconds, end)

    def note(self, *words: Any) -> None:
        """Adds a line to the record of the run, whose digest tells two runs apart."""
        line = f"{self.seconds:.6f} {' '.join(map(str, words))}\n"
        self._digest.update(line.encode())
        if self._trace is not None:
            self._trace.write(line)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def _play(self) -> None:
        due, _, _, action, args = heapq.heappop(self._heap)
        self.seconds = max(self.seconds, due)
        self.events += 1
        self._depth += 1
        try:
            action(*args)
        finally:
            self._depth -= 1
