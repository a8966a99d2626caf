"""`infra/soak`: half the platform's capacity for a while, with 1 % faults, and nothing grows.

Ends 1 when a rule of money or state is broken, when the heap of a function grew by more than 5 %
or the p99 of start by more than 15 % from the first settled window to the last.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra.chaos_testing.course import proxied_platform
from infra.soaking.report import as_json, show
from infra.soaking.soak import Outcome, Soak


def main() -> int:
    """The command line; answers the number to exit with."""
    parser = argparse.ArgumentParser(prog="infra/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="of load and faults")
    parser.add_argument(
        "--rate", type=float, help="starts per second; default: half of what is measured first"
    )
    parser.add_argument("--seed", type=int, help="of the jobs that faults strike; default: any")
    parser.add_argument("--record", type=Path, help="file for everything that was seen")
    options = parser.parse_args()
    if options.minutes <= 0 or (options.rate is not None and options.rate <= 0):
        parser.error("minutes and rate are more than 0")
    seed = random.randrange(10_000) if options.seed is None else options.seed
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    outcome = _run(console, seconds=options.minutes * 60, rate=options.rate, seed=seed)
    show(console, outcome)
    if options.record:
        options.record.write_text(json.dumps(as_json(outcome), indent=1))
    return 0 if outcome.good else 1


def _run(console: Console, *, seconds: float, rate: float | None, seed: int) -> Outcome:
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress, proxied_platform() as platform:
        bar = progress.add_task("stocking the market", total=None)
        soak = Soak(platform, seed=seed, tell=lambda words: progress.update(bar, description=words))
        return soak.run(seconds, rate)


if __name__ == "__main__":
    sys.exit(main())
