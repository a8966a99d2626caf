"""What limits, API keys and Idempotency-Keys cost a start, each beside a start without them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.benchmarks.installation import ENDLESS, Installation
from infra.benchmarks.rates import Measure, Round, run_round

MOST_COST = 0.20
WARM_SECONDS = 2.0
STARTS = Installation.starts
BARE = Measure("bare", "unlimited", STARTS, None, 201, ENDLESS)
GUARDS = (
    Measure("limiter", "marketplace", STARTS, None, 201, ENDLESS),
    Measure("API key", "unlimited", Installation.starts_by_key, None, 201, ENDLESS),
    Measure("Idempotency-Key", "unlimited", Installation.remembered_starts, None, 201, ENDLESS),
    Measure(
        "all three",
        "marketplace",
        partial(Installation.remembered_starts, by_key=True),
        MOST_COST,
        201,
        ENDLESS,
    ),
)
NOTES = """\
bare: an ID token, no key, RATE_LIMIT_SCALE=0. Each guard is measured beside it in the same round,
all in turn. cost: by how much fewer starts a second there are, median (least) of the rounds; CPU
cost: by how much more CPU a start takes of the platform and PostgreSQL together.
"""


@dataclass
class Cost:
    """A guard's rounds, and what each cost as a share of the bare start of the same round."""

    measure: Measure
    rounds: list[Round] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    cpu_costs: list[float] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        return sum(each.wrong for each in self.rounds)


def measure_guards(place: Installation, *, rounds: int, seconds: float) -> list[Cost]:
    """The bare start first, then with each guard, in each round."""
    bare, guarded = Cost(BARE), [Cost(measure) for measure in GUARDS]
    for measure in (BARE, GUARDS[-1]):  # a function's first requests load what it needs
        run_round(place, measure, min(seconds, WARM_SECONDS))
    for _ in range(rounds):
        beside = run_round(place, BARE, seconds)
        bare.rounds.append(beside)
        for each in guarded:
            burst = run_round(place, each.measure, seconds)
            each.rounds.append(burst)
            each.costs.append(1 - burst.rate / beside.rate)
            each.cpu_costs.append(burst.platform_cpu_ms / beside.platform_cpu_ms - 1)
    return [bare, *guarded]


def show_guards(console: Console, costs: list[Cost]) -> None:
    """Prints the costs."""
    table = Table(title="What guards a start, and what it costs", title_justify="left")
    table.add_column("start with")
    for name in ("median/s", "p50 ms", "CPU ms", "cost", "aim", "CPU cost", "wrong"):
        table.add_column(name, justify="right")
    for each in costs:
        aim = each.measure.aim
        table.add_row(
            each.measure.name,
            f"{median(it.rate for it in each.rounds):,.0f}",
            f"{median(it.p50_ms for it in each.rounds):.1f}",
            f"{median(it.platform_cpu_ms for it in each.rounds):.2f}",
            f"{median(each.costs):.0%} ({min(each.costs):.0%})" if each.costs else "",
            "" if aim is None else f"{aim:.0%}",
            f"{median(each.cpu_costs):+.0%}" if each.cpu_costs else "",
            str(each.wrong),
        )
    console.print(table)
    console.print(NOTES)


def guards_json(costs: list[Cost]) -> list[dict[str, Any]]:
    """Every round, for machines."""
    return [
        {
            "name": each.measure.name,
            "rates": [it.rate for it in each.rounds],
            "cpu_ms": [it.platform_cpu_ms for it in each.rounds],
            "costs": each.costs,
            "cpu_costs": each.cpu_costs,
            "wrong": each.wrong,
        }
        for each in costs
    ]
