"""What a soak showed: tables for people, JSON for the record."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.soaking.judging import Change, Span
from infra.soaking.memory import Sample
from infra.soaking.soak import Outcome

SHOWN = 5


def show(console: Console, outcome: Outcome) -> None:
    """Prints the figures of both windows, the tally, and every aim or rule that is missed."""
    console.print(_flatness(outcome))
    minutes = ", ".join(f"{minute.p99_ms:.0f}" for minute in outcome.minutes)
    console.print(f"p99 of start by minute, ms: {minutes}")
    console.print(_tally(outcome))
    for rule, rows in outcome.broken.items():
        console.print(f"BROKEN: {rule}: {len(rows)}", markup=False)
        for row in rows[:SHOWN]:
            console.print(f"  {row}", markup=False)
    for change in outcome.missed:
        console.print(f"NOT FLAT: {change.name}: {_percent(change)}", markup=False)
    console.print("every rule holds and all is flat" if outcome.good else "NOT GOOD")


def _flatness(outcome: Outcome) -> Table:
    table = Table(
        title="Memory (MB: heap, without mapped files and PostgreSQL's shared buffers) and p99",
        title_justify="left",
    )
    first, last = outcome.spans
    table.add_column("part")
    for heading in (_named(first), _named(last), "change", "aim"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for change in (*outcome.memory, outcome.start):
        if change is not None:
            table.add_row(*_row(change))
    return table


def _named(span: Span) -> str:
    return f"{span.begins / 60:.1f} to {span.ends / 60:.1f} min"


def _row(change: Change) -> list[str]:
    judged = change.aim is not None
    return [
        change.name,
        f"{change.first:.1f}",
        f"{change.last:.1f}",
        _percent(change),
        f"{change.aim:+.0f} %" if judged else "",
        ("missed" if change.missed else "met") if judged else "not judged",
    ]


def _percent(change: Change) -> str:
    return f"{change.percent:+.1f} %" if change.first else "nothing to compare"


def _tally(outcome: Outcome) -> str:
    ended = ", ".join(f"{count} {status}" for status, count in outcome.statuses.items())
    struck = ", ".join(f"{count} {words}" for words, count in outcome.struck.items())
    measured = "" if outcome.capacity is None else f" of a capacity of {outcome.capacity:.1f}"
    return (
        f"seed {outcome.seed}: {outcome.clicks} clicks at {outcome.rate:.1f} a second{measured}, "
        f"{outcome.requests} requests, {outcome.troubles} of them repeated; {ended}; "
        f"all ended {outcome.seconds_to_end_all:.0f} s after the last click\n"
        f"jobs struck at RunPod: {struck}"
    )


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The record: everything, with where and of what it was taken."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    changes = [it for it in (*outcome.memory, outcome.start) if it is not None]
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "good": outcome.good,
        **asdict(outcome),
        "changes": [asdict(it) | {"percent": it.percent, "missed": it.missed} for it in changes],
        "samples": [_sample(sample) for sample in outcome.samples],
    }


def _sample(sample: Sample) -> dict[str, Any]:
    """MB to two places and how many processes: an hour of them stays readable."""
    parts = {
        name: [round(it.heap, 2), round(it.whole, 2), len(it.pids)]
        for name, it in sample.parts.items()
    }
    return {"at": round(sample.at, 1), "heap_whole_processes": parts}
