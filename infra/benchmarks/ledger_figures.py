"""The figures of the ledger's part, by size and by who did the cycles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from infra.benchmarks.ledger_counting import Burst

# Our processes x threads: what is judged is a hold in one function and a capture in another.
PYTHON = {"python 2 x 4": 2, "python 1 x 8": 1}
LIKE_FUNCTIONS, PGBENCH = "python 2 x 4", "pgbench"
WAYS = (*PYTHON, PGBENCH)


@dataclass
class Size:
    """One ledger: bursts by way, and how long its invariants take to check."""

    transfers: int
    bursts: dict[str, list[Burst]] = field(default_factory=lambda: {way: [] for way in WAYS})
    largest: int = 0
    invariant_seconds: float = 0.0
    violations: int = 0

    def rates(self, way: str) -> list[float]:
        return [burst.rate for burst in self.bursts[way]]


@dataclass
class LedgerRates:
    """Everything that was measured; `pgbench` is the program, or None when there is none."""

    sizes: list[Size]
    pgbench: Path | None

    @property
    def wrong(self) -> int:
        """Violated invariants, and cycles that were counted but are not in the ledger."""
        bursts = (it for size in self.sizes for each in size.bursts.values() for it in each)
        return sum(size.violations for size in self.sizes) + sum(it.lost for it in bursts)
