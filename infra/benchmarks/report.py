"""The figures for people (tables) and for machines (JSON). Aims are shown, never asserted."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.benchmarks.rates import CONNECTIONS, SLOTS, Rates
from infra.benchmarks.sustained import Sustained

NOTES = f"""\
Every function runs as in the cloud (functions-framework, one worker, 16 threads), PostgreSQL is
durable, and functions are called on their own ports, without the front door, as the empty
function is. Reads and starts come over {CONNECTIONS} kept-open connections, lifecycles {SLOTS} at \
a time.
Answers of the public catalogue are kept for CATALOGUE_SECONDS; the lines "never kept" are without.
ratio: share of the empty function's rate in the same round; median and (best) of all rounds.
CPU is per answer: of the function's own process, and of every process of the platform and
PostgreSQL together, without the load generator. CPU share is the empty function's by the
function's: a second opinion on the ratio that strangers on the machine disturb less.
Alarms of starts and lifecycles (due 10 s later) are dropped between rounds; the sustained line
runs long enough for them to ring.
"""


def show(console: Console, rates: list[Rates], sustained: Sustained) -> None:
    """Prints the rates."""
    console.print(_rates_table(rates, sustained))
    console.print(NOTES)


def verdict(value: float, aim: float | None, *, most: bool = False) -> str:
    """`met` or `missed`, or nothing where there is no aim."""
    if aim is None:
        return ""
    return "met" if (value <= aim if most else value >= aim) else "missed"


def _rates_table(rates: list[Rates], sustained: Sustained) -> Table:
    table = Table(title="Rates", title_justify="left")
    table.add_column("measure")
    for name in ("best/s", "median/s", "p50 ms", "p99 ms", "ratio", "aim"):
        table.add_column(name, justify="right")
    table.add_column("")
    for name in ("CPU ms", "CPU share", "all CPU ms", "wrong"):
        table.add_column(name, justify="right")
    yardstick = rates[0].median("function_cpu_ms")
    for each in rates:
        aim, share, best = each.measure.aim, median(each.shares), each.best()
        table.add_row(
            each.measure.name,
            f"{best.rate:,.0f}",
            f"{each.median('rate'):,.0f}",
            f"{each.median('p50_ms'):.1f}",
            f"{each.median('p99_ms'):.1f}",
            f"{share:.2f} ({max(each.shares):.2f})",
            "" if aim is None else f"{aim:.2f}",
            verdict(share, aim),
            f"{each.median('function_cpu_ms'):.2f}",
            f"{yardstick / each.median('function_cpu_ms'):.2f}",
            f"{each.median('platform_cpu_ms'):.2f}",
            str(each.wrong),
        )
    rate = f"{sustained.rate:,.0f}"
    table.add_row(
        f"lifecycles for {sustained.seconds:.0f} s, alarms included",
        *(rate, rate, f"{sustained.p50_ms:.1f}", f"{sustained.p99_ms:.1f}"),
        *(f"{sustained.rate / rates[0].median('rate'):.2f}", "", "", "", ""),
        *(f"{sustained.platform_cpu_ms:.2f}", str(sustained.wrong)),
    )
    return table


def machine() -> dict[str, Any]:
    """When and on what it was measured."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
    }


def as_json(rates: list[Rates], sustained: Sustained) -> dict[str, Any]:
    """Everything that was measured, every round of it."""
    return {
        "notes": NOTES,
        "rates": [_rate(each, rates[0]) for each in rates],
        "sustained_lifecycles": asdict(sustained),
    }


def _rate(each: Rates, yardstick: Rates) -> dict[str, Any]:
    share = median(each.shares)
    return {
        "name": each.measure.name,
        "ratio": share,
        "aim": each.measure.aim,
        "verdict": verdict(share, each.measure.aim),
        "cpu_share": yardstick.median("function_cpu_ms") / each.median("function_cpu_ms"),
        "ratios": each.shares,
        "rounds": [asdict(it) for it in each.rounds],
    }
