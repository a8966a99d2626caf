"""Hold+capture cycles as a function's process does them: threads, the pool, prepared statements.

A process of its own: reads an order (JSON) from standard input, sets its threads to work, says
`ready` when each has done a cycle (connected, prepared), and at the next line counts what is done
in the ordered time.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from common.db import Database
from common.settings import Settings

PRICE, FEE = 1_000_000, 300_000
# Developers are told apart by the last three digits, so that pgbench, which has no UUIDs, can name
# one too.
DEVELOPER_STEM, DEVELOPERS = "0" * 12 + "4" + "0" * 3 + "8" + "0" * 12, (100, 299)
HOLD = "SELECT ledger.place_hold({id}, :wallet, :price, :expires, :now)"
CAPTURE = "SELECT ledger.capture({id}, {developer}, :fee, :now)"
_HOLD = text(HOLD.format(id=":id"))
_CAPTURE = text(CAPTURE.format(id=":id", developer=":developer"))
_LIFE = timedelta(hours=1)
_READY_SECONDS = 30.0


class Worker(threading.Thread):
    """One thread of a function, doing cycles until told to stop; `failure` says why it ended."""

    def __init__(self, database: Database, wallets: tuple[int, int], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._database, self._wallets, self._stop_it = database, wallets, stop
        self.count, self.failure = 0, ""

    def run(self) -> None:
        try:
            while not self._stop_it.is_set():
                self._cycle()
                self.count += 1
        except Exception as error:
            self.failure = repr(error)
            self._stop_it.set()

    def _cycle(self) -> None:
        """Two steps, each with a connection from the pool and a commit of its own."""
        hold, now, wallet = uuid.uuid4(), datetime.now(UTC), random.randint(*self._wallets)
        held = {"id": hold, "wallet": wallet, "price": PRICE, "expires": now + _LIFE, "now": now}
        with self._database.step() as connection:
            outcome = connection.execute(_HOLD, held).scalar_one()
        developer = uuid.UUID(f"{DEVELOPER_STEM}{random.randint(*DEVELOPERS)}")
        captured = {"id": hold, "developer": developer, "fee": FEE, "now": now}
        with self._database.step() as connection:
            outcome += connection.execute(_CAPTURE, captured).scalar_one()
        if outcome != "heldcaptured":
            raise RuntimeError(f"hold {hold}: {outcome}")


def main() -> None:
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    threads: int = order["threads"]
    # As the owner: the application's role may call these functions only inside a run's steps.
    database = Database(
        Settings(database_url=order["database"], db_role="", db_pool_size=threads),
    )
    stop = threading.Event()
    workers = [Worker(database, tuple(order["wallets"]), stop) for _ in range(threads)]
    for worker in workers:
        worker.start()
    _wait_for_all(workers, stop)
    print("ready", flush=True)
    sys.stdin.readline()
    begun, cpu, before = time.perf_counter(), time.process_time(), _done(workers)
    stop.wait(order["seconds"])
    count, cpu = _done(workers) - before, time.process_time() - cpu
    rate = count / (time.perf_counter() - begun)
    stop.set()
    for worker in workers:
        worker.join()
    failures = [worker.failure for worker in workers if worker.failure]
    figures = {"rate": rate, "cpu_ms": cpu * 1000 / max(1, count), "cycles": _done(workers)}
    json.dump({**figures, "failures": failures}, sys.stdout)


def _done(workers: list[Worker]) -> int:
    return sum(worker.count for worker in workers)


def _wait_for_all(workers: list[Worker], stop: threading.Event) -> None:
    end = time.perf_counter() + _READY_SECONDS
    while not all(worker.count for worker in workers) and time.perf_counter() < end:
        if stop.wait(0.002):
            return  # one has failed: it is told with the figures


if __name__ == "__main__":
    main()
