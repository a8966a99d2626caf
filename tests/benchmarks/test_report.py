"""What infra/bench prints of its figures: aims met or missed, never left out."""

import io
import json

import pytest
from rich.console import Console

from infra.benchmarks.accounting import Memory
from infra.benchmarks.cold import Cold
from infra.benchmarks.rates import MEASURES, YARDSTICK, Rates, Round
from infra.benchmarks.report import as_json, show, verdict
from infra.benchmarks.sustained import Sustained

SUSTAINED = Sustained(25, 90.0, 300.0, 800.0, {"marketplace": 3.0, "postgres": 2.0}, 0)


def rates(**shares: float) -> list[Rates]:
    """Three equal rounds of each measure, at a share of 2,000 a second."""
    results = []
    for measure in (YARDSTICK, *MEASURES):
        share = shares.get(measure.name.split()[0], 1.0)
        figures = Round(
            2000 * share, 5.0, 9.0, {measure.function: 0.3 / share}, measure.function, 0
        )
        results.append(Rates(measure, [figures] * 3, [share] * 3))
    return results


def cold() -> list[Cold]:
    memory = Memory(rss=40.0, pss=30.0)
    return [
        Cold("empty", "/", [0.2, 0.3, 0.2], None, memory),
        Cold("callback", "/health/ready", [0.4, 0.5, 0.6], 0.3, memory),
        Cold("cleanup", "/health/ready", [0.6, 0.7, 0.8], 0.3, memory),
    ]


@pytest.mark.parametrize(
    ("value", "aim", "most", "said"),
    [
        (0.6, 0.6, False, "met"),
        (0.59, 0.6, False, "missed"),
        (2.5, 2.5, True, "met"),
        (2.6, 2.5, True, "missed"),
        (0.1, None, False, ""),
    ],
)
def test_an_aim_is_met_or_missed(value: float, aim: float | None, most: bool, said: str) -> None:
    assert verdict(value, aim, most=most) == said


def test_every_measure_is_a_line_with_its_aim() -> None:
    out = io.StringIO()
    show(Console(file=out, width=160), rates(browse=0.7, start=0.1), SUSTAINED, cold())
    lines = {
        line.split("│")[1].strip(): line for line in out.getvalue().splitlines() if "│" in line
    }
    assert "met" in lines["browse"]
    assert "missed" in lines["start"]
    assert {measure.name for measure in MEASURES} <= lines.keys()
    assert [cell.strip() for cell in lines["callback"].split("│")][5:8] == ["2.50", "2.5", "met"]
    assert "missed" in lines["cleanup"]


def test_the_json_carries_every_round_and_the_same_verdicts() -> None:
    told = json.loads(json.dumps(as_json(rates(browse=0.5), SUSTAINED, cold())))
    browse = next(each for each in told["rates"] if each["name"] == "browse")
    assert (browse["ratio"], browse["aim"], browse["verdict"]) == (0.5, 0.6, "missed")
    assert browse["cpu_share"] == pytest.approx(0.5)
    assert len(browse["rounds"]) == 3
    assert [each["verdict"] for each in told["cold_starts"][1:]] == ["met", "missed"]
    assert told["sustained_lifecycles"]["cpu_ms"]["postgres"] == 2.0
