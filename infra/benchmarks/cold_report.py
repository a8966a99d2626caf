"""The archives' figures for people and for machines. Aims are shown, never asserted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.benchmarks.cold import AIM, MEMORY_AIM_MB, Cold
from infra.benchmarks.report import verdict

NOTES = """\
Each archive is unpacked into its own folder, compiled, and served by functions-framework with one
worker and 16 threads. /health/ready reads the database. times empty: median by the empty function's
median of the same run. RSS is of the larger process; PSS of both, shared pages counted once.
"""


def show_cold(console: Console, cold: list[Cold]) -> None:
    """Prints one line for each start that was measured; the empty function is the first."""
    table = Table(title="Archives: exec to first 200, and memory", title_justify="left")
    table.add_column("function")
    table.add_column("route")
    for name in ("archive KiB", "best s", "median s", "times empty", "aim"):
        table.add_column(name, justify="right")
    table.add_column("")
    for name in ("import s", "RSS MB", "PSS MB", "aim"):
        table.add_column(name, justify="right")
    table.add_column("")
    for each in cold:
        table.add_row(*_cells(each, cold[0]))
    console.print(table)
    console.print(NOTES)


def _cells(each: Cold, empty: Cold) -> list[str]:
    ours, ratio = each is not empty, each.median / empty.median
    return [
        each.name,
        each.route,
        "" if each.archive_kib is None else f"{each.archive_kib:.0f}",
        f"{each.best:.2f}",
        f"{each.median:.2f}",
        f"{ratio:.2f}",
        f"{AIM}" if ours else "",
        verdict(ratio, AIM, most=True) if ours else "",
        f"{each.import_seconds:.2f}",
        f"{each.memory.rss:.0f}",
        f"{each.memory.pss:.0f}",
        f"{MEMORY_AIM_MB:.0f}" if ours else "",
        verdict(each.memory.rss, MEMORY_AIM_MB, most=True) if ours else "",
    ]


def cold_json(cold: list[Cold]) -> list[dict[str, Any]]:
    """Every start that was measured, with the same verdicts."""
    return [
        {
            **asdict(each),
            "ratio": each.median / cold[0].median,
            "aim": AIM,
            "verdict": verdict(each.median / cold[0].median, AIM, most=True),
            "memory_aim_mb": MEMORY_AIM_MB,
            "memory_verdict": verdict(each.memory.rss, MEMORY_AIM_MB, most=True),
        }
        for each in cold
    ]
