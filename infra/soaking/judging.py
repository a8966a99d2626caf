"""What "flat" means: the last window beside the first one that had settled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from infra.benchmarks.load import percentile
from infra.soaking.memory import Sample

# Of 20 minutes: 3 to fill pools and caches, then windows of 5, which is the time from one of
# PostgreSQL's checkpoints to the next, so that each window has its share of them.
WARM_UP, WINDOW = 0.15, 0.25
MEMORY_AIM, START_AIM = 5.0, 15.0  # % of growth


@dataclass(frozen=True)
class Span:
    """Seconds after the soak began."""

    begins: float
    ends: float

    def has(self, at: float) -> bool:
        return self.begins <= at < self.ends


@dataclass(frozen=True)
class Change:
    """A figure in both windows, and the growth (%) that it may have; None: not judged."""

    name: str
    first: float
    last: float
    aim: float | None

    @property
    def percent(self) -> float:
        return (self.last / self.first - 1) * 100 if self.first else 0.0

    @property
    def missed(self) -> bool:
        """Grown by more than the aim, or with nothing to compare. To shrink is no fault."""
        if self.aim is None:
            return False
        return not self.first or not self.last or self.percent > self.aim


def windows(seconds: float) -> tuple[Span, Span]:
    """The first settled window and the last one of a soak of so many seconds."""
    first = Span(WARM_UP * seconds, (WARM_UP + WINDOW) * seconds)
    return first, Span((1 - WINDOW) * seconds, seconds)


def memory_changes(
    samples: Sequence[Sample], spans: tuple[Span, Span], *, judged: Collection[str]
) -> list[Change]:
    """The median heap (MB) of each part, `judged` ones first."""
    names = {name for sample in samples for name in sample.parts} | set(judged)
    changes = []
    for name in sorted(names, key=lambda it: (it not in judged, it)):
        first, last = (_median_heap(samples, name, span) for span in spans)
        changes.append(Change(name, first, last, MEMORY_AIM if name in judged else None))
    return changes


def _median_heap(samples: Sequence[Sample], name: str, span: Span) -> float:
    inside = [it.parts[name].heap for it in samples if span.has(it.at) and name in it.parts]
    return float(median(inside)) if inside else 0.0


def start_change(starts: Iterable[tuple[float, float]], spans: tuple[Span, Span]) -> Change:
    """The p99 (ms) of starts, each given as (when, ms)."""
    told = list(starts)
    first, last = (p99(ms for at, ms in told if span.has(at)) for span in spans)
    return Change("p99 of start", first, last, START_AIM)


def p99(values: Iterable[float]) -> float:
    return percentile(sorted(values), 0.99)


def replaced(samples: Sequence[Sample], since: float, *, judged: Collection[str]) -> list[str]:
    """Parts whose processes were not the same throughout: a young one has had no time to leak."""
    later = [sample for sample in samples if sample.at >= since]
    return sorted(
        name
        for name in judged
        if len({sample.parts[name].pids for sample in later if name in sample.parts}) > 1
    )
