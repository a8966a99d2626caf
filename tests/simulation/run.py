"""One run of the simulation: so many executions under one seed, to their very end."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TextIO

from tests.simulation.consumers import Request
from tests.simulation.entropy import seeded_entropy
from tests.simulation.faults import ALL, NONE, Faults
from tests.simulation.installation import PRICES, Installation
from tests.simulation.oracle import Oracle

STARTS_PER_SECOND = 1.0
SETTLING_S = 600.0
# Three attempts with their graces, queues and time limits and five minutes (functions.sql).
LIFETIME_S = 4_170.0
EXECUTIONS_PER_CONSUMER = 25

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `broken` must be empty."""

    seed: int
    executions: int
    broken: list[str]
    tally: dict[str, int]
    digest: str
    virtual_s: float
    wall_s: float


def simulate(
    database_url: str,
    *,
    seed: int,
    executions: int,
    faults: Faults = ALL,
    progress: Progress = lambda _done: None,
    trace: TextIO | None = None,
    vary: Callable[[Installation], None] = lambda _place: None,
) -> Outcome:
    """Plays `executions` starts on a fresh, migrated database and judges what came of them.

    vary: changes a part of the installation before it is used, to see whether that is noticed.
    """
    began, rng = time.perf_counter(), Random(seed)
    with seeded_entropy(rng), _silence():
        place = Installation(database_url, rng, trace)
        oracle = Oracle(place)
        vary(place)
        try:
            return _Run(place, oracle, executions, progress).play(seed, faults, began)
        finally:
            place.runtime.db.dispose()
            oracle.close()


class _Run:
    def __init__(
        self, place: Installation, oracle: Oracle, executions: int, progress: Progress
    ) -> None:
        self._place, self._oracle, self._progress = place, oracle, progress
        self._executions = executions
        self._span = executions / STARTS_PER_SECOND
        self._broken: list[str] = []
        self._settled_at: float | None = None
        self._minutes = 0

    def play(self, seed: int, faults: Faults, began: float) -> Outcome:
        place, scheduler = self._place, self._place.scheduler
        place.stock(consumers=max(2, self._executions // EXECUTIONS_PER_CONSUMER))
        place.faults_on(faults)
        self._plan()
        place.scheduled.begin()
        place.weather.begin()
        scheduler.at(60.0, self._watch)
        scheduler.run(until=self._over)
        self._broken = self._broken or place.doors.unexpected or self._oracle.end()
        runpod = place.runtime.sim_runpod
        tally = {
            **self._oracle.tally(),
            "jobs": len(runpod.jobs),
            "jobs without a reason": len(runpod.unjustified),
            "events": scheduler.events,
            **dict(sorted(place.dice.struck.items())),
            **dict(sorted(place.doors.answered.items())),
        }
        return Outcome(
            seed=seed,
            executions=self._executions,
            broken=self._broken,
            tally=tally,
            digest=scheduler.digest,
            virtual_s=scheduler.seconds,
            wall_s=time.perf_counter() - began,
        )

    def _plan(self) -> None:
        """Every click and every present. Some consumers are poor, so that credits run out."""
        place, rng = self._place, self._place.rng
        for consumer in place.consumers:
            poor = place.dice.strikes("consumer_poor")
            place.staff.plan_grant(consumer, 200 if poor else 100_000, rng.uniform(0, 30))
            place.staff.plan_grant(consumer, rng.randrange(1, 500), rng.uniform(0, self._span))
        for number in range(self._executions):
            consumer, model = rng.choice(place.consumers), rng.randrange(len(PRICES))
            offer = place.offers[model]
            request = Request(f"wish {number}", consumer, offer.slug, offer.price_credits)
            place.crowd.plan(request, 30.0 + rng.uniform(0, self._span))

    def _watch(self) -> None:
        """Each minute: how far we are. Each ten: whether the books hold, in the thick of it."""
        place, now = self._place, self._place.scheduler.seconds
        place.scheduler.at(60.0, self._watch)
        self._progress(min(self._executions, int(now / self._span * self._executions)))
        self._minutes += 1
        if self._minutes % 10 == 0:
            self._broken += self._oracle.books()
        quiet = now > self._span + 30 and not (place.crowd.under_way or place.staff.under_way)
        if quiet and self._settled_at is None and not self._oracle.live():
            place.faults_on(NONE)  # what is left over now is cleared up in good weather
            self._settled_at = now

    def _over(self) -> bool:
        now = self._place.scheduler.seconds
        if self._settled_at is not None:
            return now > self._settled_at + SETTLING_S
        wrong = self._broken or self._place.doors.unexpected
        return bool(wrong) or now > self._span + LIFETIME_S + 1000


@contextmanager
def _silence() -> Iterator[None]:
    """Thousands of crashes would be thousands of log lines; the oracle says what is wrong."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
