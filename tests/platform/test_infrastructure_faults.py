"""The short course of `infra/chaos`: what the platform stands on breaks under load (T7)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from pg8000.native import Connection

from infra.chaos_testing.checks import Books, broken_rules
from infra.chaos_testing.course import RECOVERY_SECONDS, Course, Outcome, proxied_platform
from infra.chaos_testing.faults import named
from infra.local.platform import Platform
from infra.local.ports import HOST

SEED, RATE, AT_MOST_SECONDS = 1, 8.0, 300.0
# The hardest first: an attempt that they leave in doubt is given up after 90 s. (Killed processes
# have a test of their own, test_survival.py.)
LASTING = {
    "database: black hole": 4.0,
    "database: restarted -m immediate": 0.0,
    "database: backends terminated": 2.0,
    "storage: half close": 3.0,
}
# One lie for each rule that the database could break, told past triggers and privileges.
FORGERIES = {
    "the ledger's invariants hold": "UPDATE ledger.account_state SET posted = posted + 1",
    "the executions' invariants hold": "DELETE FROM announcements",
    "every execution is announced once, as it ended": "DELETE FROM announcements",
    "no announcement without its execution's end": "UPDATE announcements SET status = 'FAILED'",
    "a run is captured once if it completed, else never": (
        "DELETE FROM ledger.transfer WHERE kind = 'capture_developer'"
    ),
    "no execution outlived its bound": (
        "UPDATE executions SET expires_at = created_at - interval '1 hour'"
    ),
    "no hold is open": ("UPDATE ledger.hold SET state = 'held', captured = 0, resolved_at = NULL"),
    "every execution has ended": (
        "UPDATE executions SET phase = 'waiting', status = 'PENDING', output = NULL,"
        " finished_at = NULL, next_check_at = now() WHERE status = 'COMPLETED'"
    ),
    "money is conserved for each consumer": (
        "UPDATE ledger.account_state SET pending = pending + 1"
    ),
    "a click is one run": (
        "UPDATE executions SET id = gen_random_uuid() WHERE id = (SELECT min(id::text)::uuid"
        " FROM executions)"
    ),
}


@dataclass
class Played:
    platform: Platform
    course: Course
    outcome: Outcome

    @property
    def books(self) -> Books:
        assert self.platform.postgres is not None
        return Books(self.platform.postgres)


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    with proxied_platform() as platform:
        course = Course(platform, rate=RATE, seed=SEED, tell=lambda _: None)
        faults = zip(named(*LASTING), LASTING.values(), strict=True)
        outcome = course.run(faults, AT_MOST_SECONDS)
        yield Played(platform, course, outcome)


@pytest.mark.timeout(600)
def test_whatever_breaks_beneath_a_loaded_platform_nothing_is_lost_or_paid_twice(
    played: Played,
) -> None:
    outcome = played.outcome
    assert outcome.broken == {}
    assert [episode.name for episode in outcome.episodes] == list(LASTING)
    assert all((episode.recovery or 1e9) <= RECOVERY_SECONDS for episode in outcome.episodes)
    assert sum(outcome.statuses.values()) == outcome.clicks >= 150
    assert outcome.statuses["COMPLETED"] > outcome.clicks / 2
    assert any(episode.errors for episode in outcome.episodes), "the faults were not felt at all"


def test_the_reckoning_sees_what_a_client_was_told_and_was_not_kept(played: Played) -> None:
    market, (first, *others) = played.course.market, played.course.load.clicks
    lies = {
        "what clients were told is what is kept": [
            replace(first, accepted=["00000000-0000-4000-8000-000000000000"]),
            replace(first, status="FAILED" if first.status != "FAILED" else "COMPLETED"),
            replace(first, status=""),
            replace(first, refusal="402 INSUFFICIENT_CREDITS"),
        ],
        "a click is one run": [
            replace(first, accepted=[]),
            replace(first, accepted=[*first.accepted, *others[0].accepted]),
        ],
    }
    assert broken_rules(played.books, market, [first, *others]) == {}
    for rule, told in lies.items():
        for lie in told:
            assert rule in broken_rules(played.books, market, [lie, *others])


@pytest.mark.parametrize("rule", FORGERIES)
def test_the_reckoning_sees_forged_books(played: Played, rule: str) -> None:
    assert played.platform.postgres is not None
    connection = Connection(
        "postgres",
        host=HOST,
        port=played.platform.postgres.port,
        database="tarsify",
        ssl_context=False,
    )

    class Forged(Books):
        """Reads inside the transaction that holds the forgery."""

        def rows(self, sql: str) -> list[object]:
            return list(connection.run(sql) or [])

    try:
        connection.run("BEGIN")
        connection.run("SET LOCAL session_replication_role = replica")
        connection.run(FORGERIES[rule])
        forged = Forged(played.platform.postgres)
        assert rule in broken_rules(forged, played.course.market, played.course.load.clicks)
    finally:
        connection.run("ROLLBACK")
        connection.close()
