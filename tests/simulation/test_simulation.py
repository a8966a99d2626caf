"""A whole Tarsify under every fault at once: nothing lost, nothing twice, nothing for ever."""

import io
from dataclasses import replace

import pytest

from infra.local.postgres import PostgresServer
from tests.simulation.faults import ALL, CALM, NAMES, Faults, only
from tests.simulation.run import simulate
from tests.simulation.servers import database

SEEDS = (11, 12, 13)


def test_without_faults_every_run_that_is_not_cancelled_completes(database_url: str) -> None:
    outcome = simulate(database_url, seed=1, executions=100, faults=CALM)

    assert outcome.broken == []
    assert outcome.tally["COMPLETED"] > 80
    assert not {"FAILED", "TIMED_OUT"} & set(outcome.tally)
    assert outcome.tally["jobs"] == outcome.tally["attempts"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_under_any_fault(database_url: str, seed: int) -> None:
    outcome = simulate(database_url, seed=seed, executions=1_000)

    assert outcome.broken == [], f"infra/faults --seed {seed} --executions 1000"
    assert outcome.tally["COMPLETED"] > 500


@pytest.mark.timeout(300)
def test_every_fault_strikes(postgres: PostgresServer, template: str) -> None:
    """A fault that is never made proves nothing. One short seed may miss a rare one."""
    wanted = {f"crash {when}" for when in ("before", "at", "after")} | set(NAMES) - {"crash"}
    struck: set[str] = set()
    for seed in (6, 7, 8, 9):
        with database(postgres, f"struck_{seed}", template) as url:
            outcome = simulate(url, seed=seed, executions=200, faults=_often())
        assert outcome.broken == []
        struck |= set(outcome.tally)
        if struck >= wanted:
            break

    assert wanted - struck == set()


@pytest.mark.timeout(300)
def test_a_seed_plays_the_same_run_again(postgres: PostgresServer, template: str) -> None:
    first, second = (_trace(postgres, template, seed=7) for _ in range(2))
    other = _trace(postgres, template, seed=8)

    assert first == second
    assert first != other


def test_chosen_faults_are_the_only_ones(database_url: str) -> None:
    outcome = simulate(database_url, seed=1, executions=60, faults=only(["webhook_dropped"]))

    assert outcome.broken == []
    assert set(NAMES) & set(outcome.tally) == {"webhook_dropped"}


def _often() -> Faults:
    """The rare ones too, in a short run."""
    rare = [name for name in NAMES if getattr(ALL, name) <= 0.01]
    return replace(ALL, **dict.fromkeys(rare, 0.03), runpod_outage=0.5, storage_outage=0.5)


def _trace(postgres: PostgresServer, template: str, *, seed: int) -> str:
    trace = io.StringIO()
    with database(postgres, f"replayed_{seed}", template) as url:
        simulate(url, seed=seed, executions=80, trace=trace)
    return trace.getvalue()
