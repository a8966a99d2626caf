"""One soak: a platform, a steady load, faults all the time, and the reckoning."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.chaos_testing.checks import Books, broken_rules
from infra.chaos_testing.clients import Click, Load
from infra.chaos_testing.course import await_ends
from infra.chaos_testing.market import furnish
from infra.local.platform import INTERNAL, PUBLIC, Platform
from infra.soaking.capacity import measure_capacity
from infra.soaking.faults import Drizzle
from infra.soaking.judging import (
    Change,
    Span,
    memory_changes,
    p99,
    replaced,
    start_change,
    windows,
)
from infra.soaking.memory import Sample, Sampler

CONSUMERS = 64
FUNCTIONS = (*PUBLIC, *INTERNAL)
SAMPLE_SECONDS, CAPACITY_SECONDS = 5.0, 30.0
TELL_SECONDS = 2.0
LEAST_SAMPLES = 40  # of a short soak
LIVELESS_HOLDS = (
    "SELECT h.id, h.amount FROM ledger.hold h LEFT JOIN executions e ON e.id = h.id"
    " WHERE h.state = 'held' AND (e.id IS NULL OR e.phase = 'done')"
)


@dataclass(frozen=True)
class Minute:
    """Starts that were clicked within a minute of the soak; ms."""

    starts: int
    p99_ms: float


@dataclass
class Outcome:
    """All that a soak showed. `capacity` is runs per second, None when the rate was given."""

    seed: int
    seconds: float
    rate: float
    capacity: float | None
    spans: tuple[Span, Span]
    clicks: int = 0
    requests: int = 0
    troubles: int = 0
    seconds_to_end_all: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)
    memory: list[Change] = field(default_factory=list)
    start: Change | None = None
    minutes: list[Minute] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    broken: dict[str, list[str]] = field(default_factory=dict)

    @property
    def missed(self) -> list[Change]:
        """Figures that did not stay flat."""
        return [it for it in (*self.memory, self.start) if it is not None and it.missed]

    @property
    def good(self) -> bool:
        return not self.broken and not self.missed


class Soak:
    """Runs on a started platform. `tell` hears what happens, for whoever watches."""

    def __init__(
        self,
        platform: Platform,
        *,
        seed: int,
        tell: Callable[[str], None],
        consumers: int = CONSUMERS,
    ) -> None:
        assert platform.postgres is not None
        self._platform, self._seed, self._tell = platform, seed, tell
        self._books = Books(platform.postgres)
        self.market = furnish(platform, consumers=consumers)
        self._drizzle = Drizzle(platform, seed=seed)

    def run(self, seconds: float, rate: float | None) -> Outcome:
        """Clicks for `seconds` at `rate` a second, or at half of what the platform can do."""
        capacity, warming = None, list[Click]()
        if rate is None:
            capacity, warming = measure_capacity(
                self._platform.url,
                self.market,
                self._books,
                seconds=min(CAPACITY_SECONDS, seconds),
                tell=self._tell,
            )
        chosen = rate or max(1.0, (capacity or 0.0) / 2)
        outcome = Outcome(self._seed, seconds, chosen, capacity, windows(seconds))
        load = Load(self._platform.url, self.market, rate=chosen, seed=self._seed)
        try:
            self._live(load, outcome)
        finally:
            load.stop()
        self._reckon(outcome, load, warming)
        self._drizzle.close()
        return outcome

    def _live(self, load: Load, outcome: Outcome) -> None:
        self._drizzle.begin()
        sampler = Sampler(
            self._platform, seconds=min(SAMPLE_SECONDS, outcome.seconds / LEAST_SAMPLES)
        )
        sampler.start()
        load.start()
        began = time.monotonic()
        while (passed := time.monotonic() - began) < outcome.seconds:
            self._tell(
                f"{passed / 60:.1f} of {outcome.seconds / 60:.1f} min, {outcome.rate:.1f} starts"
                f" a second, {len(load.clicks)} clicks, {len(load.unfinished())} unfinished"
            )
            time.sleep(min(TELL_SECONDS, outcome.seconds - passed))
        sampler.stop()
        outcome.samples = sampler.samples
        outcome.seconds_to_end_all = await_ends(load, self._books, self._tell)

    def _reckon(self, outcome: Outcome, load: Load, warming: list[Click]) -> None:
        self._tell("reckoning")
        clicks, rows = load.clicks, self._books.rows
        outcome.clicks, outcome.requests = len(clicks), load.requests
        outcome.troubles = len(load.troubles)
        statuses = rows("SELECT status, count(*) FROM executions GROUP BY 1 ORDER BY 1")
        outcome.statuses = {str(status): int(count) for status, count in statuses}
        outcome.struck = self._drizzle.struck()
        began = clicks[0].clicked_at
        starts = [
            (click.clicked_at - began, click.start_seconds * 1000)
            for click in clicks
            if click.start_seconds is not None and click.clicked_at < began + outcome.seconds
        ]
        outcome.start = start_change(starts, outcome.spans)
        outcome.minutes = by_minute(starts)
        outcome.memory = memory_changes(outcome.samples, outcome.spans, judged=FUNCTIONS)
        outcome.broken = broken_rules(self._books, self.market, [*warming, *clicks])
        self._judge_service(outcome, load)

    def _judge_service(self, outcome: Outcome, load: Load) -> None:
        """Promises beside those of every course."""
        wrong = sum(it.what == "500" for it in load.troubles)
        young = replaced(outcome.samples, outcome.spans[0].begins, judged=FUNCTIONS)
        found = {
            "no open hold without a live execution": [
                str(row) for row in self._books.rows(LIVELESS_HOLDS)
            ],
            "a fault is answered 503, never 500": [f"{wrong} times 500"] * bool(wrong),
            "every function lives through it all": young,
        }
        outcome.broken |= {rule: rows for rule, rows in found.items() if rows}


def by_minute(starts: list[tuple[float, float]]) -> list[Minute]:
    """Starts, given as (seconds since the soak began, ms), minute by minute."""
    minutes: dict[int, list[float]] = {}
    for at, ms in starts:
        minutes.setdefault(int(at // 60), []).append(ms)
    return [Minute(len(ms), p99(ms)) for _, ms in sorted(minutes.items())]
