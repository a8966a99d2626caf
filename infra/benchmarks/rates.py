"""Requests and lifecycles per second, each round beside the yardstick's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from infra.benchmarks.accounting import cpu_seconds
from infra.benchmarks.installation import ENDLESS, INSTANT, Installation
from infra.local.platform import ROOT

CONNECTIONS, SLOTS = 16, 64
MOST_REQUESTS = 50_000


@dataclass(frozen=True)
class Measure:
    """What is asked of which function; `aim` is a share of the yardstick's rate.

    `good` is the one status that counts as an answer.
    """

    name: str
    function: str
    requests: Callable[[Installation], list[bytes]]
    aim: float | None
    good: int = 200
    workers: dict[str, Any] | None = None
    module: str = "infra.benchmarks.load"
    connections: int = CONNECTIONS


_ROOT_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
YARDSTICK = Measure("empty function", "empty", lambda _: [_ROOT_REQUEST], None)
MEASURES = (
    Measure("browse", "marketplace", Installation.browse, 0.6),
    Measure("detail", "marketplace", Installation.details, 0.6),
    Measure("browse, never kept", "fresh", Installation.browse, None),
    Measure("detail, never kept", "fresh", Installation.details, None),
    Measure("run status", "marketplace", Installation.statuses, 0.35),
    Measure("start", "marketplace", Installation.starts, 0.15, 201, ENDLESS),
    Measure(
        "lifecycle",
        "marketplace",
        Installation.starts,
        0.1,
        201,
        INSTANT,
        "infra.benchmarks.lifecycles",
        SLOTS,
    ),
)


@dataclass
class Round:
    """One burst: rate per second, latencies in ms, and each process's CPU ms per answer."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: dict[str, float]
    function: str
    wrong: int

    @property
    def function_cpu_ms(self) -> float:
        return self.cpu_ms[self.function]

    @property
    def platform_cpu_ms(self) -> float:
        return sum(self.cpu_ms.values())


@dataclass
class Rates:
    """All rounds of a measure and what they were as shares of the yardstick's same round."""

    measure: Measure
    rounds: list[Round] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def best(self) -> Round:
        return max(self.rounds, key=lambda it: it.rate)

    def median(self, name: str) -> float:
        return float(median(getattr(it, name) for it in self.rounds))

    @property
    def wrong(self) -> int:
        return sum(it.wrong for it in self.rounds)


def measure_all(place: Installation, *, rounds: int, seconds: float) -> list[Rates]:
    """The yardstick first, then every measure, in each round."""
    results = [Rates(measure) for measure in (YARDSTICK, *MEASURES)]
    for _ in range(rounds):
        for result in results:
            result.rounds.append(run_round(place, result.measure, seconds))
            result.shares.append(result.rounds[-1].rate / results[0].rounds[-1].rate)
    return results


def run_round(place: Installation, measure: Measure, seconds: float) -> Round:
    """One burst of one measure."""
    supervisor = place.platform.supervisor
    if measure.workers is not None:
        place.workers(measure.workers)
    processes = {name: supervisor.pid(name) for name in supervisor.names()}
    processes["postgres"] = place.postgres_pid
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    seen = _generate(place, measure, seconds)
    after = {name: cpu_seconds(pid) for name, pid in processes.items()}
    if measure.workers is not None:
        place.drop_alarms()
    count = max(1, seen["requests"])
    return Round(
        rate=seen["requests"] / seen["seconds"],
        p50_ms=seen["p50_ms"],
        p99_ms=seen["p99_ms"],
        cpu_ms={name: (after[name] - before[name]) * 1000 / count for name in processes},
        function=measure.function,
        wrong=_wrong(seen, measure),
    )


def _generate(place: Installation, measure: Measure, seconds: float) -> dict[str, Any]:
    supervisor = place.platform.supervisor
    order = {
        "port": supervisor.service(measure.function).port,
        "requests": [request.decode("latin-1") for request in measure.requests(place)],
        "connections": measure.connections,
        "seconds": seconds,
        "most": MOST_REQUESTS,
        "database": place.database_url,
    }
    done = subprocess.run(
        [sys.executable, "-m", measure.module],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        timeout=seconds + 60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _wrong(seen: dict[str, Any], measure: Measure) -> int:
    """Answers with another status than the good one, and runs that did not complete."""
    statuses: dict[str, int] = seen["statuses"]
    wrong = sum(n for status, n in statuses.items() if int(status) != measure.good)
    endings: dict[str, int] = seen.get("endings", {})
    return wrong + sum(n for end, n in endings.items() if end != "COMPLETED")
