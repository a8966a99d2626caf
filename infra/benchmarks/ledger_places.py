"""Ledgers to measure on: databases of several sizes on one durable server."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pg8000.native import Connection

from infra.benchmarks import ledger_filling as filling
from infra.benchmarks.ledger_counting import Target
from infra.benchmarks.ledger_figures import Size
from infra.local.postgres import PostgresServer
from migrations.run import upgrade

MOST_GROWTH = 1.5  # a ledger that has grown by more is filled anew before it is measured again


@dataclass(frozen=True)
class Place:
    """A database with a ledger of a size."""

    size: Size
    target: Target

    def fill(self) -> None:
        """To its size; then is timed how long the invariants take."""
        filling.fill(self.target.connection, self.size.transfers)
        self.size.invariant_seconds = self.check()

    def renew(self) -> None:
        """Fills the ledger anew if the bursts have made it another size; first they are judged."""
        size, now = self.size, filling.transfers(self.target.connection)
        size.largest = max(size.largest, now)
        if now > size.transfers * MOST_GROWTH:
            self.check()
            self.fill()

    def check(self) -> float:
        """Keeps the worst count of violations; answers the seconds that counting took."""
        count, seconds = filling.violations(self.target.connection)
        self.size.violations = max(count, self.size.violations)
        return seconds


@contextmanager
def places(sizes: Sequence[Size], say: Callable[[str], None]) -> Iterator[list[Place]]:
    """A durable server with a filled database for each size."""
    with tempfile.TemporaryDirectory(prefix="tarsify-ledger-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "data").start()
        try:
            server.create_database("stem")
            upgrade(server.url("stem"))
            filled = [_place(server, size, say) for size in sizes]
            filled[-1].target.connection.run("CHECKPOINT")
            yield filled
            for place in filled:
                place.target.connection.close()
        finally:
            server.stop(mode="immediate")


def _place(server: PostgresServer, size: Size, say: Callable[[str], None]) -> Place:
    say(f"filling a ledger of {size.transfers:,} transfers ...")
    name = f"ledger_{size.transfers}"
    server.create_database(name, template="stem")
    url = server.url(name)
    parts = urlsplit(url)
    connection = Connection(
        "postgres", host=parts.hostname or "", port=parts.port or 0, database=name,
        ssl_context=False,
    )  # fmt: skip
    pid = server.pid()
    assert pid is not None
    place = Place(size, Target(url, connection, pid))
    filling.open_accounts(connection)
    place.fill()
    return place
