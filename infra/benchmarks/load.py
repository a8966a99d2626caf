"""The load generator, a process of its own: N connections, each asking again when answered.

`python -m infra.benchmarks.load` reads an order (JSON) from standard input and writes what it
saw to standard output. Bounded in time and in number of requests; loopback only.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from infra.benchmarks.http import ANSWER_SECONDS, Connection


@dataclass
class Seen:
    """What one burst saw; latencies in ms, answers by status (0: none)."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0


async def burst(
    port: int, requests: list[bytes], *, connections: int, seconds: float, most: int
) -> Seen:
    """Asks for `seconds` on `connections` at once, `most` requests in all, taking turns."""
    seen, turns = Seen(), cycle(requests)
    begun = time.perf_counter()

    async def client() -> None:
        connection = await Connection.open(port)
        while time.perf_counter() - begun < seconds and seen.statuses.total() < most:
            sent = time.perf_counter()
            try:
                status, _ = await asyncio.wait_for(connection.ask(next(turns)), ANSWER_SECONDS)
            except (OSError, TimeoutError):
                status, connection = 0, await Connection.open(port)
            seen.latencies.append((time.perf_counter() - sent) * 1000)
            seen.statuses[status] += 1
        connection.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    seen.seconds = time.perf_counter() - begun
    return seen


def percentile(sorted_values: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 for no values."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def summary(seen: Seen) -> dict[str, Any]:
    """What is reported of a burst."""
    values = sorted(seen.latencies)
    return {
        "requests": len(values),
        "seconds": seen.seconds,
        "p50_ms": percentile(values, 0.50),
        "p99_ms": percentile(values, 0.99),
        "statuses": dict(seen.statuses),
    }


def main() -> None:
    order = json.load(sys.stdin)
    seen = asyncio.run(
        burst(
            order["port"],
            [request.encode("latin-1") for request in order["requests"]],
            connections=order["connections"],
            seconds=order["seconds"],
            most=order["most"],
        )
    )
    json.dump(summary(seen), sys.stdout)


if __name__ == "__main__":
    main()
