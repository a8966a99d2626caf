"""What a course showed: tables for people, JSON for the record."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.chaos_testing.course import Episode, Outcome

SHOWN = 5


def show(console: Console, outcome: Outcome) -> None:
    """Prints the episodes, the tally and every rule that is broken."""
    table = Table(title=f"Faults (seed {outcome.seed})", title_justify="left")
    table.add_column("at s", justify="right")
    table.add_column("fault")
    for name in ("lasted s", "clicks", "errors", "slowest error s", "recovery s", "stragglers"):
        table.add_column(name, justify="right")
    table.add_column("kinds")
    for episode in outcome.episodes:
        table.add_row(*_row(episode))
    console.print(table)
    console.print(_tally(outcome))
    for rule, rows in outcome.broken.items():
        console.print(f"BROKEN: {rule}: {len(rows)}", markup=False)
        for row in rows[:SHOWN]:
            console.print(f"  {row}", markup=False)
    console.print("every rule holds" if outcome.good else "NOT GOOD")


def _row(episode: Episode) -> list[str]:
    kinds = ", ".join(f"{count} {what}" for what, count in sorted(episode.errors.items()))
    return [
        f"{episode.began:.0f}",
        episode.name,
        f"{episode.lasted:.1f}",
        str(episode.clicks),
        str(sum(episode.errors.values())),
        f"{episode.slowest_error:.1f}",
        "never" if episode.recovery is None else f"{episode.recovery:.1f}",
        str(episode.stragglers),
        kinds,
    ]


def _tally(outcome: Outcome) -> str:
    ended = ", ".join(f"{count} {status}" for status, count in outcome.statuses.items())
    worst = max((it.recovery or 1e9 for it in outcome.episodes), default=0.0)
    return (
        f"{outcome.clicks} clicks, {outcome.requests} requests in {outcome.seconds:.0f} s; "
        f"{ended}; {outcome.retried} with more than one attempt; "
        f"{outcome.restarts} processes restarted; slowest recovery {worst:.1f} s; "
        f"all ended {outcome.seconds_to_end_all:.0f} s after the last click"
    )


def as_json(outcome: Outcome, *, rate: float) -> dict[str, Any]:
    """The record: everything, with where and of what it was taken."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "rate": rate,
        "good": outcome.good,
        **asdict(outcome),
    }
