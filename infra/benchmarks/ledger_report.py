"""What infra/bench says of the ledger, for people and for machines."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.benchmarks.ledger_figures import LIKE_FUNCTIONS, PGBENCH, WAYS, LedgerRates, Size
from infra.benchmarks.pgbench import MISSING
from infra.benchmarks.report import verdict

SHARE_AIM, GROWTH_AIM = 0.6, 0.95
NOTES = """\
A cycle is ledger.place_hold and ledger.capture: two statements, two commits, on a durable
PostgreSQL of its own. python: processes x threads through common.db's step() and prepared
statements, as functions do; a run's hold and capture happen in different functions, so 2 x 4 is
judged and 1 x 8 shown. pgbench: -M prepared, 8 clients, the same statements but for how UUIDs are
written. Both connect as the owner: the application may call these functions only inside a run's
steps. All take turns in every round.
share: of pgbench's rate on the same ledger. kept: of the rate on the smallest ledger. Both are best
by best of the rounds, and in brackets the median over rounds. Each burst begins with folded deltas;
a ledger that has grown by half is filled anew ("up to" is the largest it was). A burst on each
ledger is not counted: right after a checkpoint the first write to a page is dear.
CPU is per cycle, the median of rounds: strangers on the machine disturb it less than the rates.
"""


def show_ledger(console: Console, rates: LedgerRates) -> None:
    """Prints the table; loudly if there was nothing to compare with."""
    console.print(_table(rates))
    console.print(NOTES)
    if rates.pgbench is None:
        console.print(f"[bold red]{MISSING}; the share of its rate was NOT measured[/]")
    if rates.wrong:
        console.print(f"[bold red]{rates.wrong} cycles lost or invariants violated[/]")


def shares(size: Size, way: str) -> tuple[float, float] | None:
    """A way's rate by pgbench's: best by best, and the median of the rounds'. None without both."""
    return _ratios(size.rates(way), size.rates(PGBENCH)) if way != PGBENCH else None


def kept(rates: LedgerRates, size: Size, way: str) -> tuple[float, float] | None:
    """A way's rate by that on the smallest ledger, likewise."""
    smallest = rates.sizes[0]
    return _ratios(size.rates(way), smallest.rates(way)) if size is not smallest else None


def _ratios(these: list[float], those: list[float]) -> tuple[float, float] | None:
    if not these or not those:
        return None
    pairs = [this / that for this, that in zip(these, those, strict=True)]
    return max(these) / max(those), median(pairs)


def _table(rates: LedgerRates) -> Table:
    table = Table(title="Hold+capture cycles a second, 8 at a time", title_justify="left")
    for name in ("transfers", "up to"):
        table.add_column(name, justify="right")
    table.add_column("by")
    for name in ("best/s", "median/s", "share", f"aim {SHARE_AIM}", "kept", f"aim {GROWTH_AIM}"):
        table.add_column(name, justify="right")
    for name in ("client CPU ms", "server CPU ms", "invariants s"):
        table.add_column(name, justify="right")
    for size in rates.sizes:
        for way in WAYS:
            table.add_row(*_line(rates, size, way), f"{size.invariant_seconds:.2f}")
        table.add_section()
    return table


def _line(rates: LedgerRates, size: Size, way: str) -> list[str]:
    found = size.rates(way)
    share, still = shares(size, way), kept(rates, size, way)
    return [
        f"{size.transfers:,}",
        f"{size.largest:,}",
        way,
        *(f"{max(found):,.0f}" if found else "none", f"{median(found):,.0f}" if found else "none"),
        *_cells(share, SHARE_AIM if way == LIKE_FUNCTIONS else None),
        *_cells(still, GROWTH_AIM if size is rates.sizes[-1] else None),
        *(_median(size, way, "client_cpu_ms"), _median(size, way, "server_cpu_ms")),
    ]


def _median(size: Size, way: str, name: str) -> str:
    values = [getattr(burst, name) for burst in size.bursts[way]]
    return f"{median(values):.2f}" if values else ""


def _cells(ratio: tuple[float, float] | None, aim: float | None) -> tuple[str, str]:
    if ratio is None:
        return "", ""
    return f"{ratio[0]:.2f} ({ratio[1]:.2f})", verdict(ratio[0], aim)


def ledger_json(rates: LedgerRates) -> dict[str, Any]:
    """Everything that was measured, every round of it."""
    return {
        "notes": NOTES,
        "pgbench": MISSING if rates.pgbench is None else str(rates.pgbench),
        "share_aim": SHARE_AIM,
        "growth_aim": GROWTH_AIM,
        "wrong": rates.wrong,
        "sizes": [
            {
                **asdict(size),
                "shares": {way: shares(size, way) for way in WAYS},
                "kept": {way: kept(rates, size, way) for way in WAYS},
            }
            for size in rates.sizes
        ],
    }
