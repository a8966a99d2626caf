"""What a run's end says in the log: the objectives of the installation are measured by it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.case import Case
from tests.world import World


@pytest.fixture
def case(world: World) -> Iterator[Case]:
    """One that talks."""
    world.runtime.settings = world.settings.model_copy(update={"log_level": "INFO"})
    made = Case(world)
    yield made
    made.audit()


def _ends(printed: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [it for it in lines if it["message"] == "job observed" and it.get("lagMs") is not None]


def test_an_end_by_webhook_is_known_at_once(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.works_for(5)
    run = case.run()
    assert case.ended(run, within=30)["status"] == "COMPLETED"

    (end,) = _ends(capsys.readouterr().out)
    assert (end["executionId"], end["effect"]) == (run, "completed")
    assert end["delayMs"] >= 0


def test_an_end_whose_webhook_is_lost_says_how_late_it_was_known(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.fault("F1")
    case.works_for(3)
    run = case.run()
    assert case.ended(run, within=40)["status"] == "COMPLETED"

    (end,) = _ends(capsys.readouterr().out)
    assert end["source"] == "poll"
    assert 5_000 < end["lagMs"] < 30_000  # the first poll comes 10 s after the start


def test_a_run_that_goes_on_says_nothing_of_its_end(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.works_for(20)
    run = case.run()
    case.world.advance(15)
    assert _ends(capsys.readouterr().out) == []
    assert case.ended(run, within=60)["status"] == "COMPLETED"
