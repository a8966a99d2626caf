"""Everything that is done to the platform, one fault at a time, in an order that a seed draws."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from pg8000.native import Connection, DatabaseError, InterfaceError

from infra.local.fault_proxy import Fault, Mode
from infra.local.platform import LINKS, Platform
from infra.local.ports import HOST

KILLED = (
    "marketplace",
    "callback",
    "tasks",
    "cleanup",
    "tasks-queue",
    "storage",
    "identity",
    "gateway",
    "runpod",
    "network",
)
NETWORK = {
    "latency 100 ms each way": Fault(Mode.LATENCY, ms=100),
    "reset after 1500 bytes": Fault(Mode.RESET, after_bytes=1500),
    "reset at once": Fault(Mode.RESET),
    "black hole": Fault(Mode.BLACK_HOLE),
    "half close": Fault(Mode.HALF_CLOSE),
    "refuse": Fault(Mode.REFUSE),
}
SHORTEST, LONGEST = 4.0, 9.0  # seconds of a fault that lasts
BETWEEN_TERMINATIONS = 1.0


@dataclass(frozen=True)
class Disturbance:
    """`inflict(platform, seconds)` returns when the fault is over; `lasts`: for as many seconds."""

    name: str
    inflict: Callable[[Platform, float], None]
    lasts: bool = True


def all_disturbances() -> list[Disturbance]:
    """Each kind once."""
    network = [
        Disturbance(f"{link}: {name}", _on_link(link, fault))
        for link in LINKS
        for name, fault in NETWORK.items()
    ]
    killed = [Disturbance(f"kill -9 {name}", _kill(name), lasts=False) for name in KILLED]
    return [
        *network,
        Disturbance("database: backends terminated", _terminate_backends),
        Disturbance("database: restarted -m immediate", _restart_postgres, lasts=False),
        *killed,
    ]


def schedule(seed: int, only: str = "") -> Iterator[tuple[Disturbance, float]]:
    """Disturbances with their seconds, each kind once before any comes again; without end.

    Raises ValueError when no name holds `only`.
    """
    drawn = random.Random(seed)
    kinds = [kind for kind in all_disturbances() if only in kind.name]
    if not kinds:
        raise ValueError(f"no fault's name holds {only!r}")
    while True:
        drawn.shuffle(kinds)
        for kind in kinds:
            yield kind, drawn.uniform(SHORTEST, LONGEST) if kind.lasts else 0.0


def named(*names: str) -> list[Disturbance]:
    """Disturbances by their names. Raises KeyError."""
    known = {kind.name: kind for kind in all_disturbances()}
    return [known[name] for name in names]


def _on_link(link: str, fault: Fault) -> Callable[[Platform, float], None]:
    def inflict(platform: Platform, seconds: float) -> None:
        platform.network.impose(link, fault)
        try:
            time.sleep(seconds)
        finally:
            platform.network.lift(link)

    return inflict


def _kill(name: str) -> Callable[[Platform, float], None]:
    def inflict(platform: Platform, _seconds: float) -> None:
        os.killpg(platform.supervisor.pid(name), signal.SIGKILL)

    return inflict


def _restart_postgres(platform: Platform, _seconds: float) -> None:
    """The platform starts it again, as it does with whatever dies."""
    assert platform.postgres is not None
    platform.postgres.stop(mode="immediate")


def _terminate_backends(platform: Platform, seconds: float) -> None:
    assert platform.postgres is not None
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        with suppress(InterfaceError, DatabaseError):
            _terminate(platform.postgres.port)
        time.sleep(min(left, BETWEEN_TERMINATIONS))


def _terminate(port: int) -> None:
    connection = Connection("postgres", host=HOST, port=port, ssl_context=False, timeout=10)
    try:
        connection.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'tarsify' AND pid <> pg_backend_pid()"
        )
    finally:
        connection.close()
