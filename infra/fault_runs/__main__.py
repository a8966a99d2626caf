"""`infra/faults`: plays seeds of the fault simulation and prints the tally.

Ends 0 only if no promise was broken under any seed; else it prints how to play a seed again.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from infra.fault_runs.playing import Order, play_all
from infra.fault_runs.report import checked_out, record, replay_command, show
from tests.simulation.faults import NAMES
from tests.simulation.run import Outcome
from tests.simulation.servers import throwaway_server


def main() -> int:
    """The command line; answers the number to exit with."""
    options = _parsed()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    began = datetime.now(UTC)
    first = options.seed
    orders = [
        Order(seed, options.executions, options.crash, tuple(options.fault), options.trace)
        for seed in range(first, first + options.seeds)
    ]
    commit = checked_out()

    def keep(so_far: list[Outcome]) -> None:
        """After each seed: a run that is stopped early has told what it found."""
        if options.record:
            text = record(orders, so_far, began=began, commit=commit)
            options.record.write_text(text, encoding="utf-8")

    with throwaway_server() as server:
        outcomes = play_all(
            server, orders, processes=options.processes, console=console, finished=keep
        )
    show(console, outcomes)
    failed = [each for each in outcomes if each.broken]
    for outcome in failed:
        console.print(f"[red]seed {outcome.seed}: {len(outcome.broken)} broken promises[/red]")
        for line in outcome.broken[:20]:
            console.print(f"  {line}", markup=False)
        console.print(f"  play it again: {replay_command(orders[0], outcome.seed)}")
    return 1 if failed or len(outcomes) < len(orders) else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="infra/faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, one after the other")
    parser.add_argument("--executions", type=int, default=1000, help="starts under each seed")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--crash", type=float, help="chance of a crash per step, usually 0.03")
    parser.add_argument("--processes", type=int, default=2, help="seeds played at once")
    parser.add_argument(
        "--fault",
        nargs="+",
        default=[],
        choices=NAMES,
        metavar="NAME",
        help=f"only these faults: {', '.join(NAMES)}",
    )
    parser.add_argument("--record", type=Path, help="file for a record of the run, in Markdown")
    parser.add_argument("--trace", type=Path, help="folder for one log of events per seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
