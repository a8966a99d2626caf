"""What infra/bench prints of its figures: aims met or missed, never left out."""

import io
import json

import pytest
from rich.console import Console

from infra.benchmarks.accounting import Memory
from infra.benchmarks.cold import Cold
from infra.benchmarks.cold_report import cold_json, show_cold
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
        Cold("empty", "/", [0.2, 0.3, 0.2], 0.0, memory),
        Cold("callback", "/health/ready", [0.4, 0.5, 0.6], 0.3, memory, 600.0),
        Cold("cleanup", "/health/ready", [0.6, 0.7, 0.8], 0.3, Memory(101.0, 90.0), 620.0),
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
    show(Console(file=out, width=160), rates(browse=0.7, start=0.1), SUSTAINED)
    lines = lines_of(out)
    assert "met" in lines["browse"]
    assert "missed" in lines["start"]
    assert {measure.name for measure in MEASURES} <= lines.keys()


def test_every_archive_is_a_line_with_its_size_and_both_aims() -> None:
    out = io.StringIO()
    show_cold(Console(file=out, width=160), cold())
    lines = {name: cells_of(line) for name, line in lines_of(out).items()}
    assert lines["callback"][2:] == [
        "600", "0.40", "0.50", "2.50", "2.5", "met", "0.30", "40", "30", "100", "met",
    ]  # fmt: skip
    assert lines["cleanup"][7] == lines["cleanup"][12] == "missed"
    assert lines["empty"][2] == lines["empty"][7] == lines["empty"][12] == ""


def lines_of(out: io.StringIO) -> dict[str, str]:
    """A table's lines by their first cell."""
    found = (line for line in out.getvalue().splitlines() if "│" in line)
    return {cells_of(line)[0]: line for line in found}


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("│")][1:-1]


def test_the_json_carries_every_round_and_the_same_verdicts() -> None:
    told = json.loads(json.dumps(as_json(rates(browse=0.5), SUSTAINED)))
    browse = next(each for each in told["rates"] if each["name"] == "browse")
    assert (browse["ratio"], browse["aim"], browse["verdict"]) == (0.5, 0.6, "missed")
    assert browse["cpu_share"] == pytest.approx(0.5)
    assert len(browse["rounds"]) == 3
    assert told["sustained_lifecycles"]["cpu_ms"]["postgres"] == 2.0


def test_the_json_of_the_archives_carries_every_start_and_the_same_verdicts() -> None:
    told = json.loads(json.dumps(cold_json(cold())))[1:]
    assert [each["verdict"] for each in told] == ["met", "missed"]
    assert [each["memory_verdict"] for each in told] == ["met", "missed"]
    assert [each["archive_kib"] for each in told] == [600.0, 620.0]
    assert told[0]["starts"] == [0.4, 0.5, 0.6]
