"""The usage of an execution in dollars per million, at Google's public prices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.benchmarks.costs import Usage, Used

# Public list prices in USD, as of 2026-11, region us-central1, beyond what is free.
PRICES_AS_OF = "2026-11"
CPU_SECOND = 24e-6  # Cloud Run, request-based
GIB_SECOND = 2.5e-6
REQUEST = 0.4e-6
TASK_OPERATION = 0.4e-6  # Cloud Tasks: creating and delivering are an operation each
LOG_GIB = 0.5  # Cloud Logging
SHIELD_REQUEST = 0.75e-6  # Cloud Armor, of public requests
UPLOAD = 5e-6  # Cloud Storage, one object written
EGRESS_GB = 0.12  # to the internet
# An instance bills a whole processor and its memory while a request is in it; this many share that.
GIB, SHARED = 0.5, 4.0
MILLION = 1_000_000


def dollars(used: Usage) -> dict[str, float]:
    """USD for a million executions like those that were measured, by what it is for."""
    busy = max(used.busy_ms / SHARED, used.cpu_ms) / 1000
    each = {
        "requests": used.requests * REQUEST,
        "CPU": busy * CPU_SECOND,
        "memory": busy * GIB * GIB_SECOND,
        "Cloud Tasks": used.tasks * 2 * TASK_OPERATION,
        "logs": used.log_bytes / 2**30 * LOG_GIB,
        "Cloud Armor": used.public_requests * SHIELD_REQUEST,
    }
    return {name: round(amount * MILLION, 2) for name, amount in each.items()}


def show_costs(console: Console, used: Usage) -> None:
    """Prints both tables."""
    table = Table(title=f"One execution uses (mean of {used.runs})", title_justify="left")
    table.add_column("function")
    for name in ("requests", "busy ms", "CPU ms", "log bytes"):
        table.add_column(name, justify="right")
    for name, each in used.functions.items():
        table.add_row(name, *_cells(each))
    table.add_row("all", *_cells(used))
    table.add_row("PostgreSQL", "", "", f"{used.database_cpu_ms:.1f}", "")
    console.print(table)
    console.print(f"alarms that ring: {used.tasks:.2f}")
    bill = Table(
        title=f"USD per million executions, prices of {PRICES_AS_OF}", title_justify="left"
    )
    bill.add_column("for")
    bill.add_column("USD", justify="right")
    for name, amount in sorted(dollars(used).items(), key=lambda item: -item[1]):
        bill.add_row(name, f"{amount:.2f}")
    bill.add_row("all", f"{sum(dollars(used).values()):.2f}")
    console.print(bill)
    console.print(
        f"beside it, for a result that is a file: {UPLOAD * MILLION:.2f} to store it and"
        f" {EGRESS_GB * 1000:.0f} for each MB of it that is fetched once"
    )


def _cells(it: Used | Usage) -> tuple[str, str, str, str]:
    return f"{it.requests:.2f}", f"{it.busy_ms:.1f}", f"{it.cpu_ms:.1f}", f"{it.log_bytes:.0f}"


def costs_json(used: Usage) -> dict[str, Any]:
    return {**asdict(used), "usd_per_million": dollars(used)}
