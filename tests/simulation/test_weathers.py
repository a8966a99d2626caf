"""The weather in which a broken guard shows breaks nothing while the guard is there."""

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.run import simulate

IN_ROUGH_WEATHER = [each for each in MUTATIONS if each.more]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutation", IN_ROUGH_WEATHER, ids=lambda each: each.name)
def test_with_its_guard_nothing_is_broken(mutation: Mutation, database_url: str) -> None:
    outcome = simulate(database_url, seed=1, executions=mutation.executions, faults=mutation.faults)

    assert outcome.broken == []
