"""`infra/bench`: how fast the platform is on this machine, beside an empty function.

Prints tables; --json writes every round to a file. Ends 0 unless an answer was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from infra.benchmarks.cold import measure_cold
from infra.benchmarks.installation import installation
from infra.benchmarks.rates import measure_all
from infra.benchmarks.report import as_json, show
from infra.benchmarks.sustained import measure_sustained


def main() -> int:
    """The command line; answers the number to exit with."""
    parser = argparse.ArgumentParser(prog="infra/bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the figures of every round")
    parser.add_argument("--rounds", type=int, default=3, help="how often each rate is measured")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measure")
    parser.add_argument("--sustained", type=float, default=25.0, help="seconds of lifecycles")
    parser.add_argument("--starts", type=int, default=5, help="cold starts of each function")
    options = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    with console.status("starting the platform and stocking it ..."), installation() as place:
        console.print("measuring cold starts ...")
        cold = measure_cold(place.platform, times=options.starts)
        console.print("measuring rates ...")
        rates = measure_all(place, rounds=options.rounds, seconds=options.seconds)
        sustained = measure_sustained(place, seconds=options.sustained)
    show(console, rates, sustained, cold)
    if options.json:
        options.json.write_text(json.dumps(as_json(rates, sustained, cold), indent=1, default=str))
    wrong = sum(each.wrong for each in rates) + sustained.wrong
    if wrong:
        console.print(f"{wrong} answers were wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
