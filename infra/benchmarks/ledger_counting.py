"""What a burst of cycles did, counted where it was done: in the ledger and in the server's CPU."""

from __future__ import annotations

from dataclasses import dataclass

from pg8000.native import Connection

from infra.benchmarks.accounting import cpu_seconds


@dataclass(frozen=True)
class Target:
    """A database with a filled ledger, our own connection to it, and its server's process."""

    url: str
    connection: Connection
    server_pid: int


@dataclass(frozen=True)
class Burst:
    """Cycles a second, and ms of CPU a cycle: a second opinion that a busy machine disturbs less.

    `lost` cycles were counted by the client and are not captured in the ledger, or the reverse.
    """

    rate: float
    cycles: int
    lost: int
    client_cpu_ms: float
    server_cpu_ms: float


class Server:
    """What the server has done since this was made."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._captured, self._cpu = _captured(target.connection), cpu_seconds(target.server_pid)

    def burst(self, rate: float, cycles: int, client_cpu_ms: float) -> Burst:
        """Also folds, as cleanup does each minute, so that each burst begins without deltas."""
        cpu = cpu_seconds(self._target.server_pid) - self._cpu
        connection = self._target.connection
        lost = abs(cycles - (_captured(connection) - self._captured))
        connection.run("SELECT ledger.fold()")
        return Burst(rate, cycles, lost, client_cpu_ms, cpu * 1000 / max(1, cycles))


def _captured(connection: Connection) -> int:
    query = "SELECT count(*) FROM ledger.hold WHERE state = 'captured'"
    return int(connection.run(query)[0][0])
