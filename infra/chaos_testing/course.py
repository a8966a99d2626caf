"""One course: a platform of its own, a load, faults one after the other, and the reckoning."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pg8000.native import DatabaseError, InterfaceError

from infra.chaos_testing.checks import Books, broken_rules
from infra.chaos_testing.clients import Load
from infra.chaos_testing.faults import Disturbance
from infra.chaos_testing.market import Market, Moods, furnish
from infra.local.platform import Options, Platform
from infra.local.ports import free_port

RECOVERY_SECONDS = 90.0  # longer is a failure (money-and-faults.md 5.3, T7)
QUIET_BEFORE, QUIET_BETWEEN = 3.0, 3.0
SECONDS_BETWEEN_SWEEPS = 3.0
STRAGGLER_SECONDS = 30.0
POLL_SECONDS = 0.1


@dataclass
class Episode:
    """A fault and what followed. Times in seconds; `began` counts from the course's start.

    Stragglers are runs clicked before the fault was over that were seen to end more than 30 s
    after it.
    """

    name: str
    began: float
    lasted: float
    recovery: float | None = None
    clicks: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    slowest_error: float = 0.0
    stragglers: int = 0


@dataclass
class Outcome:
    """All that a course showed."""

    seed: int
    seconds: float = 0.0
    clicks: int = 0
    requests: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    retried: int = 0
    restarts: int = 0
    slowest_start: float = 0.0
    seconds_to_end_all: float = 0.0
    episodes: list[Episode] = field(default_factory=list)
    broken: dict[str, list[str]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not self.broken


@contextmanager
def proxied_platform() -> Iterator[Platform]:
    """A durable platform in a folder of its own whose links can be broken."""
    with tempfile.TemporaryDirectory(prefix="tarsify-chaos-") as folder:
        platform = Platform(
            Options(
                folder=Path(folder),
                port=free_port(),
                workers=False,
                proxied=True,
                seconds_between_sweeps=SECONDS_BETWEEN_SWEEPS,
                environment={},
            )
        )
        try:
            platform.start()
            yield platform
        finally:
            platform.stop()


def await_ends(load: Load, books: Books, tell: Callable[[str], None]) -> float:
    """Stops clicking and waits until all has ended, at most until the last bound; seconds."""
    load.stop_clicking()
    began = time.monotonic()
    bound = began + books.seconds_to_bound() + RECOVERY_SECONDS
    while time.monotonic() < bound:
        with suppress(InterfaceError, DatabaseError):
            if books.alive() == 0 and not load.unfinished():
                break
        tell(f"waiting for {len(load.unfinished())} runs to end")
        time.sleep(0.5)
    return time.monotonic() - began


class Course:
    """Runs on a started platform. `tell` hears what happens, for whoever watches."""

    def __init__(
        self, platform: Platform, *, rate: float, seed: int, tell: Callable[[str], None]
    ) -> None:
        self._platform, self._tell = platform, tell
        self.market: Market = furnish(platform)
        self._moods = Moods(platform, seed)
        self.load = Load(platform.url, self.market, rate=rate, seed=seed)
        self._outcome = Outcome(seed)
        self._began = time.monotonic()

    def run(self, disturbances: Iterable[tuple[Disturbance, float]], seconds: float) -> Outcome:
        """Faults until `seconds` are over or none is left, then waits for every end and checks."""
        self._moods.start()
        self.load.start()
        self._began = time.monotonic()
        try:
            self._disturb(disturbances, self._began + seconds)
            self._end()
        finally:
            self.load.stop()
            self._moods.stop()
        return self._reckon()

    def _disturb(self, disturbances: Iterable[tuple[Disturbance, float]], ends_at: float) -> None:
        time.sleep(QUIET_BEFORE)
        for disturbance, seconds in disturbances:
            if time.monotonic() + seconds > ends_at:
                break
            self._outcome.episodes.append(self._episode(disturbance, seconds))
            time.sleep(QUIET_BETWEEN)

    def _episode(self, disturbance: Disturbance, seconds: float) -> Episode:
        self._tell(disturbance.name)
        began, clicks, troubles = time.monotonic(), len(self.load.clicks), len(self.load.troubles)
        disturbance.inflict(self._platform, seconds)
        over = time.monotonic()
        self._tell(f"recovering from {disturbance.name}")
        recovered = self._recovery(over)
        errors = self.load.troubles[troubles:]
        return Episode(
            disturbance.name,
            began=began - self._began,
            lasted=over - began,
            recovery=None if recovered is None else recovered - over,
            clicks=len(self.load.clicks) - clicks,
            errors=dict(Counter(error.what for error in errors)),
            slowest_error=max((error.took for error in errors), default=0.0),
        )

    def _recovery(self, over: float) -> float | None:
        while time.monotonic() < over + RECOVERY_SECONDS:
            recovered = self.load.recovered_at(over)
            if recovered is not None:
                return recovered
            time.sleep(POLL_SECONDS)
        return None

    def _end(self) -> None:
        """Waits until every run has ended, at most until the last one's bound."""
        self._outcome.seconds_to_end_all = await_ends(self.load, self._books(), self._tell)

    def _books(self) -> Books:
        assert self._platform.postgres is not None
        return Books(self._platform.postgres)

    def _reckon(self) -> Outcome:
        outcome, books, clicks = self._outcome, self._books(), self.load.clicks
        outcome.seconds = time.monotonic() - self._began
        outcome.clicks, outcome.requests = len(clicks), self.load.requests
        outcome.restarts = self._platform.supervisor.restarts
        statuses = books.rows("SELECT status, count(*) FROM executions GROUP BY 1 ORDER BY 1")
        outcome.statuses = {str(status): int(count) for status, count in statuses}
        retried = books.rows("SELECT count(*) FROM executions WHERE attempts > 1")
        outcome.retried = int(retried[0][0])
        self._count_stragglers()
        outcome.broken = broken_rules(books, self.market, clicks)
        self._judge_service()
        return outcome

    def _count_stragglers(self) -> None:
        for episode in self._outcome.episodes:
            over = self._began + episode.began + episode.lasted
            episode.stragglers = sum(
                click.clicked_at < over
                and (click.ended_at or over + 1e9) > over + STRAGGLER_SECONDS
                for click in self.load.clicks
                if click.clicked_at > self._began + episode.began - STRAGGLER_SECONDS
            )

    def _judge_service(self) -> None:
        slow = [it.name for it in self._outcome.episodes if it.recovery is None]
        if slow:
            self._outcome.broken[f"recovery within {RECOVERY_SECONDS:.0f} s"] = slow
        wrong = [it for it in self.load.troubles if it.what == "500"]
        if wrong:
            rule = "a fault is answered 503, never 500"
            self._outcome.broken[rule] = [f"{len(wrong)} times 500"]
