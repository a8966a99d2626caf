"""`infra/bench`: how fast the platform is on this machine and how heavy its archives are, beside an
empty function, what an execution uses and costs, and how fast the ledger is beside pgbench.

Prints tables; --json writes every round to a file. Ends 0 unless an answer was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.benchmarks.cold import measure_cold
from infra.benchmarks.cold_report import cold_json, show_cold
from infra.benchmarks.costs import measure_usage
from infra.benchmarks.costs_report import costs_json, show_costs
from infra.benchmarks.guards import guards_json, measure_guards, show_guards
from infra.benchmarks.installation import Installation, installation
from infra.benchmarks.ledger import SIZES, measure_ledger
from infra.benchmarks.ledger_filling import WALLETS
from infra.benchmarks.ledger_report import ledger_json, show_ledger
from infra.benchmarks.rates import measure_all
from infra.benchmarks.report import as_json, machine, show
from infra.benchmarks.sustained import measure_sustained


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; answers the number to exit with."""
    options = _options(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    wrong, figures = 0, machine()
    with Bench(options, console) as bench:
        for name, part in PARTS.items():
            if options.only in (None, name):
                bad, found = part(bench)
                wrong, figures = wrong + bad, {**figures, **found}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, default=str))
    if wrong:
        console.print(f"{wrong} answers were wrong")
    return 1 if wrong else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="infra/bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the figures of every round")
    parser.add_argument("--only", choices=tuple(PARTS), help="leave out the other parts")
    parser.add_argument("--rounds", type=int, default=3, help="how often each rate is measured")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measure")
    parser.add_argument("--sustained", type=float, default=25.0, help="seconds of lifecycles")
    parser.add_argument("--starts", type=int, default=5, help="cold starts of each function")
    parser.add_argument("--runs", type=int, default=200, help="executions whose usage is measured")
    parser.add_argument(
        "--ledger-sizes", type=_size, nargs="+", default=SIZES, help="transfers, ascending"
    )
    return parser.parse_args(arguments)


def _size(text: str) -> int:
    if int(text) <= WALLETS:
        raise argparse.ArgumentTypeError(f"each of {WALLETS} wallets has a grant: more than that")
    return int(text)


class Bench:
    """What is asked for, where it is told, and one platform for all parts that need one."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options, self.console = options, console
        self._stack = ExitStack()

    @cached_property
    def place(self) -> Installation:
        with self.console.status("starting the platform and stocking it ..."):
            return self._stack.enter_context(installation())

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _costs(bench: Bench) -> tuple[int, dict[str, Any]]:
    place = bench.place
    bench.console.print("measuring what an execution uses ...")
    used = measure_usage(place, runs=bench.options.runs)
    show_costs(bench.console, used)
    return used.wrong, {"costs": costs_json(used)}


def _archives(bench: Bench) -> tuple[int, dict[str, Any]]:
    """A first answer that is wrong, or none, ends everything."""
    place = bench.place
    bench.console.print("measuring archives and cold starts ...")
    cold = measure_cold(place.platform, times=bench.options.starts)
    show_cold(bench.console, cold)
    return 0, {"cold_starts": cold_json(cold)}


def _platform(bench: Bench) -> tuple[int, dict[str, Any]]:
    place, options = bench.place, bench.options
    bench.console.print("measuring rates ...")
    rates = measure_all(place, rounds=options.rounds, seconds=options.seconds)
    sustained = measure_sustained(place, seconds=options.sustained)
    show(bench.console, rates, sustained)
    wrong = sum(each.wrong for each in rates) + sustained.wrong
    return wrong, as_json(rates, sustained)


def _guards(bench: Bench) -> tuple[int, dict[str, Any]]:
    options = bench.options
    bench.console.print("measuring what guards a start ...")
    costs = measure_guards(bench.place, rounds=options.rounds, seconds=options.seconds)
    show_guards(bench.console, costs)
    return sum(each.wrong for each in costs), {"guards": guards_json(costs)}


def _ledger(bench: Bench) -> tuple[int, dict[str, Any]]:
    options = bench.options
    rates = measure_ledger(
        rounds=options.rounds,
        seconds=options.seconds,
        sizes=options.ledger_sizes,
        say=bench.console.print,
    )
    show_ledger(bench.console, rates)
    return rates.wrong, {"ledger": ledger_json(rates)}


PARTS = {
    "costs": _costs,
    "archives": _archives,
    "platform": _platform,
    "guards": _guards,
    "ledger": _ledger,
}


if __name__ == "__main__":
    sys.exit(main())
