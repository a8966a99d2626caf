"""Whole lifecycles: each slot starts a run over HTTP and the next one when that is settled.

A process of its own. The callback comes from the simulator by itself; that a run is settled is
seen in the database, in one cheap question for all slots: polling by each of them over HTTP would
measure the polls.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

from pg8000.native import Connection as Database

from infra.benchmarks.http import Connection
from infra.benchmarks.load import Seen, summary

LOOK_SECONDS = 0.02
DRAIN_SECONDS = 20.0
_SETTLED = "SELECT id::text, status FROM executions WHERE phase = 'done' AND id = ANY(:ids)"


class Settled:
    """Knows which of the runs that are waited for have ended."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._database = Database(
            parts.username or "postgres",
            host=parts.hostname or "",
            port=parts.port or 5432,
            database=parts.path.lstrip("/"),
            ssl_context=False,
        )
        self._waiting: dict[str, asyncio.Future[str]] = {}

    def wait(self, execution_id: str) -> asyncio.Future[str]:
        """Becomes the run's final status."""
        self._waiting[execution_id] = asyncio.get_running_loop().create_future()
        return self._waiting[execution_id]

    async def look(self) -> None:
        """Looks until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._waiting:
                for ended, status in self._database.run(_SETTLED, ids=list(self._waiting)):
                    self._waiting.pop(ended).set_result(status)


async def lifecycles(
    port: int, requests: list[bytes], settled: Settled, *, slots: int, seconds: float
) -> tuple[Seen, dict[str, int]]:
    """What was settled within `seconds`, and how all runs ended, the last ones included."""
    seen, turns, endings = Seen(), cycle(requests), dict[str, int]()
    begun = time.perf_counter()

    async def slot() -> None:
        connection = await Connection.open(port)
        while time.perf_counter() - begun < seconds:
            started = time.perf_counter()
            status, body = await connection.ask(next(turns))
            seen.statuses[status] += 1
            if status != 201:
                continue
            end = await settled.wait(json.loads(body)["data"]["executionId"])
            endings[end] = endings.get(end, 0) + 1
            if time.perf_counter() - begun <= seconds:
                seen.latencies.append((time.perf_counter() - started) * 1000)
        connection.close()

    looking = asyncio.create_task(settled.look())
    await asyncio.wait_for(asyncio.gather(*(slot() for _ in range(slots))), seconds + DRAIN_SECONDS)
    looking.cancel()
    seen.seconds = seconds
    return seen, endings


async def _measured(order: dict[str, Any]) -> dict[str, Any]:
    seen, endings = await lifecycles(
        order["port"],
        [request.encode("latin-1") for request in order["requests"]],
        Settled(order["database"]),
        slots=order["connections"],
        seconds=order["seconds"],
    )
    return {**summary(seen), "endings": endings}


def main() -> None:
    json.dump(asyncio.run(_measured(json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
