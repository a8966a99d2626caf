"""`infra/chaos`: the whole platform under load while everything beneath it breaks in turn.

Ends 1 when a rule is broken or a recovery takes longer than 90 s.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra.chaos_testing.course import Course, Outcome, proxied_platform
from infra.chaos_testing.faults import Disturbance, schedule
from infra.chaos_testing.report import as_json, show


def main() -> int:
    """The command line; answers the number to exit with."""
    parser = argparse.ArgumentParser(prog="infra/chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of faults and load")
    parser.add_argument("--rate", type=float, default=10.0, help="starts per second")
    parser.add_argument("--seed", type=int, help="of the order of the faults; default: any")
    parser.add_argument(
        "--only", default="", help="part of the names of the faults that are wanted"
    )
    parser.add_argument("--record", type=Path, help="file for everything that was seen")
    options = parser.parse_args()
    seed = random.randrange(10_000) if options.seed is None else options.seed
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    faults = schedule(seed, options.only)
    outcome = _run(console, faults, seconds=options.minutes * 60, rate=options.rate, seed=seed)
    show(console, outcome)
    if options.record:
        options.record.write_text(json.dumps(as_json(outcome, rate=options.rate), indent=1))
    return 0 if outcome.good else 1


def _run(
    console: Console,
    faults: Iterator[tuple[Disturbance, float]],
    *,
    seconds: float,
    rate: float,
    seed: int,
) -> Outcome:
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress, proxied_platform() as platform:
        bar = progress.add_task("stocking the market", total=seconds)
        course = Course(
            platform,
            rate=rate,
            seed=seed,
            tell=lambda words: progress.update(bar, description=words),
        )
        over = threading.Event()
        began = time.monotonic()

        def tick() -> None:
            while not over.wait(0.5):
                progress.update(bar, completed=min(seconds, time.monotonic() - began))

        threading.Thread(target=tick, daemon=True).start()
        try:
            return course.run(faults, seconds)
        finally:
            over.set()


if __name__ == "__main__":
    sys.exit(main())
