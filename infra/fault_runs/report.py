"""The tally of a run, on the screen and as a dated record."""

from __future__ import annotations

import subprocess
from collections import Counter
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from infra.fault_runs.playing import Order
from tests.simulation.run import Outcome

COLUMNS = ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED", "attempts", "jobs")
UNREASONED = "jobs without a reason"


def show(console: Console, outcomes: list[Outcome]) -> None:
    """A line per seed, then everything counted over all seeds."""
    table = Table("seed", *COLUMNS, "unreasoned", "crashes", "hours", "ms each", "broken")
    for each in outcomes:
        table.add_row(*_row(each), style="red" if each.broken else None)
    console.print(table)
    console.print(", ".join(f"{name} {count}" for name, count in _totals(outcomes).items()))


def replay_command(order: Order, seed: int) -> str:
    """The command that plays one seed again."""
    parts = ["infra/faults", "--seeds 1", f"--seed {seed}", f"--executions {order.executions}"]
    if order.crash is not None:
        parts.append(f"--crash {order.crash}")
    if order.faults:
        parts.append(f"--fault {' '.join(order.faults)}")
    return " ".join(parts)


def record(orders: list[Order], outcomes: list[Outcome], *, began: datetime, commit: str) -> str:
    """The run in Markdown: when, of which commit, under which seeds, and what came of it."""
    first, last = orders[0], orders[-1]
    broken = [f"- seed {each.seed}: {line}" for each in outcomes for line in each.broken]
    totals = _totals(outcomes)
    heads = ["seed", *COLUMNS, "unreasoned", "crashes", "virtual hours", "ms each", "broken"]
    lines = [
        f"# Fault simulation of {began:%Y-%m-%d}",
        "",
        f"- Commit: {commit}",
        f"- Began {began:%H:%M} UTC, ended {datetime.now(UTC):%H:%M} UTC",
        f"- Seeds {first.seed} to {last.seed}, {first.executions} starts each; "
        f"{len(outcomes)} of {len(orders)} seeds have ended",
        f"- Crash per step: {first.weather.crash:.0%}; faults: {_named(first)}",
        f"- Again: `{replay_command(first, first.seed).replace('--seeds 1', _seeds(orders))}`",
        f"- Broken promises: {len(broken)}",
        f"- Executions that ended: {sum(totals[name] for name in COLUMNS[:4])}; "
        f"GPU jobs: {totals['jobs']}, of them without a reason: {totals[UNREASONED]}",
        "",
        _markdown(heads),
        _markdown(["---:"] * len(heads)),
        *(_markdown(_row(each)) for each in outcomes),
        "",
        "What was counted over all seeds:",
        "",
        *(f"- {name}: {count}" for name, count in totals.items()),
        *(["", "## Broken promises", "", *broken] if broken else []),
        "",
    ]
    return "\n".join(lines)


def _row(outcome: Outcome) -> list[str]:
    tally = outcome.tally
    crashes = sum(count for name, count in tally.items() if name.startswith("crash "))
    return [
        str(outcome.seed),
        *(str(tally.get(name, 0)) for name in COLUMNS),
        str(tally.get(UNREASONED, 0)),
        str(crashes),
        f"{outcome.virtual_s / 3600:.1f}",
        f"{outcome.wall_s / outcome.executions * 1000:.1f}",
        str(len(outcome.broken)),
    ]


def _totals(outcomes: list[Outcome]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for each in outcomes:
        totals.update(each.tally)
    return totals


def _markdown(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _named(order: Order) -> str:
    return ", ".join(order.faults) or "all"


def _seeds(orders: list[Order]) -> str:
    return f"--seeds {len(orders)}"


def checked_out() -> str:
    """The commit that is checked out, and whether something was changed since."""
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    return commit + (
        " with changes" if _git("status", "--porcelain", "common", "functions") else ""
    )


def _git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return result.stdout.strip()
