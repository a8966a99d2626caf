"""Running the simulation on an installation one of whose guards is broken."""

from collections.abc import Iterable

from sqlalchemy import create_engine

from migrations.functions import COMMON, run_script
from tests.simulation.mutations import Change, Mutation
from tests.simulation.run import Outcome, simulate


def outcome_of(mutation: Mutation, database_url: str, *, seed: int = 1) -> Outcome:
    """What the oracle says of a mutation on a fresh database, which is changed for good."""
    apply(mutation.changes, mutation.dropped, database_url)
    return simulate(
        database_url,
        seed=seed,
        executions=mutation.executions,
        faults=mutation.faults,
        vary=mutation.vary,
    )


def apply(changes: Iterable[Change], dropped: Iterable[str], database_url: str) -> None:
    """Installs changed steps and takes away what stands behind them, as the owner."""
    engine = create_engine(database_url, connect_args={"ssl_context": False})
    with engine.begin() as connection:
        for statement in dropped:
            run_script(connection, statement)
        for text in _changed(changes).values():
            run_script(connection, text)
    engine.dispose()


def _changed(changes: Iterable[Change]) -> dict[str, str]:
    """The texts of functions.sql after the changes; a change that finds nothing is an error."""
    texts: dict[str, str] = {}
    for change in changes:
        text = texts.get(change.slice)
        if text is None:
            text = (COMMON / change.slice / "functions.sql").read_text(encoding="utf-8")
        assert change.old in text, f"no such text in {change.slice}: {change.old}"
        texts[change.slice] = text.replace(change.old, change.new)
    return texts
