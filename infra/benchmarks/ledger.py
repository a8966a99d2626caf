"""Hold+capture cycles a second, through our own way to the database and through pgbench, on ledgers
of several sizes: what Python costs, and whether a full ledger is slower than an empty one.

One cycle is what a run costs in money: `ledger.place_hold` and `ledger.capture`, two statements and
two commits. All sizes are databases of one durable server and take turns in every round, so that a
busy moment of the machine meets them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from infra.benchmarks import pgbench
from infra.benchmarks.ledger_figures import PGBENCH, PYTHON, LedgerRates, Size
from infra.benchmarks.ledger_places import Place, places
from infra.benchmarks.ledger_runs import pgbench_burst, python_burst

SIZES = (10_000, 100_000, 1_000_000)


def measure_ledger(
    *, rounds: int, seconds: float, sizes: Sequence[int] = SIZES, say: Callable[[str], None]
) -> LedgerRates:
    """Fills, warms up and measures; every way on every size in every round."""
    program = pgbench.found()
    result = LedgerRates([Size(transfers) for transfers in sizes], program)
    with places(result.sizes, say) as filled:
        say("measuring hold+capture cycles ...")
        for place in filled:  # not counted: a fresh checkpoint makes first writes dear
            python_burst(place.target, seconds=seconds, processes=2)
        for _ in range(rounds):
            for place in filled:
                _round(place, program, seconds)
        for place in filled:
            place.renew()
            place.check()
    return result


def _round(place: Place, program: Path | None, seconds: float) -> None:
    bursts = place.size.bursts
    for way, processes in PYTHON.items():
        place.renew()
        bursts[way].append(python_burst(place.target, seconds=seconds, processes=processes))
    if program is not None:
        place.renew()
        bursts[PGBENCH].append(pgbench_burst(program, place.target, seconds=seconds))
