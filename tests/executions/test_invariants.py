"""I6 and I7 are proven able to fire: the owner breaks what guards them first."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from common.db import Database
from tests.factories import make_consumer, make_offer
from tests.steps import Steps, violations


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param(
            "UPDATE ledger.hold SET state = 'released', resolved_at = now() WHERE state = 'held'",
            "I6 ended execution with a wrong hold",
            id="a live run whose hold was released",
        ),
        pytest.param(
            "DELETE FROM ledger.hold WHERE state = 'held'",
            "I6 ended execution with a wrong hold",
            id="a live run without a hold",
        ),
        pytest.param(
            "UPDATE ledger.hold SET state = 'released', captured = 0 WHERE state = 'captured'",
            "I6 ended execution with a wrong hold",
            id="a completed run that was not paid",
        ),
        pytest.param(
            "UPDATE ledger.hold SET state = 'captured', captured = amount WHERE state = 'released'",
            "I6 ended execution with a wrong hold",
            id="a cancelled run that was paid",
        ),
        pytest.param(
            "DELETE FROM executions WHERE phase = 'waiting'",
            "I6 hold without execution or payout",
            id="credits held for nothing",
        ),
        pytest.param(
            "DELETE FROM announcements WHERE status = 'COMPLETED'",
            "I6 ended execution without one announcement",
            id="an end that nobody heard of",
        ),
        pytest.param(
            "INSERT INTO announcements (execution_id, status, at)"
            " SELECT id, 'FAILED', now() FROM executions WHERE phase = 'waiting'",
            "I6 ended execution without one announcement",
            id="a live run that was announced as ended",
        ),
        pytest.param(
            "UPDATE executions SET fee = fee - 1 WHERE status = 'COMPLETED'",
            "I6 completed execution with another split",
            id="a split that differs from the frozen one",
        ),
        pytest.param(
            "UPDATE ledger.hold SET expires_at = now() - interval '6 minutes' WHERE state = 'held'",
            "I7 hold open past its time",
            id="a hold that nobody resolved",
        ),
    ],
)
def test_a_broken_rule_is_seen(books: Steps, owner: Connection, change: str, rule: str) -> None:
    owner.execute(text("SET session_replication_role = replica"))
    owner.execute(text(change))
    assert rule in {broken for broken, _, _ in violations(books.db)}


def test_a_run_that_nobody_looked_after_is_seen_five_minutes_past_its_life(db: Database) -> None:
    """Without any corruption: the machine simply stood still."""
    lifetime = timedelta(seconds=3 * (90 + 600 + 600) + 300)
    steps = Steps(db, now=datetime.now(UTC) - lifetime - timedelta(minutes=4))
    offer, consumer = make_offer(db), make_consumer(db, credits_=20)
    young = steps.start(offer, consumer)
    assert violations(db) == []
    steps.wait(-61)
    old = steps.start(offer, consumer)
    assert [(rule[:2], uuid.UUID(what)) for rule, what, _ in violations(db)] == [("I7", old)]
    assert young != old
