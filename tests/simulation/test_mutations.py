"""Every guard of ours, broken on purpose, is missed by someone: an unnoticed one fails here."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from common.db import Database
from common.settings import Settings
from tests.simulation.mutating import apply, outcome_of
from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.open_probes import OPEN_PROBED
from tests.simulation.probes import PROBED, ProbedMutation
from tests.steps import Steps

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_a_broken_guard_is_noticed_by_the_simulation(mutation: Mutation, database_url: str) -> None:
    outcome = outcome_of(mutation, database_url)

    assert outcome.broken != [], "this mutation survived"


@pytest.mark.parametrize("mutation", PROBED + OPEN_PROBED, ids=lambda each: each.name)
def test_a_broken_guard_is_noticed_by_a_probe(mutation: ProbedMutation, database_url: str) -> None:
    with _steps(database_url) as steps:
        assert mutation.kept(steps), "the promise does not hold even with the guard"

    apply(mutation.changes, mutation.dropped, database_url)

    with _steps(database_url) as steps:
        assert not mutation.kept(steps), "this mutation survived"


@contextmanager
def _steps(database_url: str) -> Iterator[Steps]:
    db = Database(Settings(database_url=database_url, db_pool_size=4))
    try:
        yield Steps(db)
    finally:
        db.dispose()
