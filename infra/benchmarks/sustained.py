"""Lifecycles for long enough that their alarms ring too: what a busy minute really costs."""

from __future__ import annotations

from dataclasses import dataclass

from infra.benchmarks.installation import Installation
from infra.benchmarks.rates import MEASURES, run_round


@dataclass(frozen=True)
class Sustained:
    """Lifecycles per second over `seconds`, with latencies and CPU in ms."""

    seconds: float
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: dict[str, float]
    wrong: int

    @property
    def platform_cpu_ms(self) -> float:
        return sum(self.cpu_ms.values())


def measure_sustained(place: Installation, *, seconds: float) -> Sustained:
    """One long burst; alarms come due 10 s after each start."""
    lifecycle = next(it for it in MEASURES if it.name == "lifecycle")
    seen = run_round(place, lifecycle, seconds)
    return Sustained(seconds, seen.rate, seen.p50_ms, seen.p99_ms, seen.cpu_ms, seen.wrong)
