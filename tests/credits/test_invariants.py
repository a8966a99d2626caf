"""Each invariant of the ledger is proven able to fire: the owner breaks what guards it first."""

import uuid

import pytest
from sqlalchemy import Connection, text

from tests.credits.ledger import Ledger

DEVELOPER = uuid.UUID(int=1)


@pytest.fixture
def ledger(owner: Connection) -> Ledger:
    """Books with one open hold and one captured: in order, until the test breaks them."""
    ledger = Ledger(owner)
    consumer = ledger.funded(100)
    ledger.capture(ledger.held(consumer, 10), DEVELOPER, 3)
    ledger.held(consumer, 20)
    assert ledger.broken() == set()
    return ledger


def corrupt(ledger: Ledger, *statements: str) -> None:
    for statement in ("SET session_replication_role = replica", *statements):
        ledger.owner.execute(text(statement))


def test_credits_from_nowhere_are_seen(ledger: Ledger) -> None:
    corrupt(ledger, "UPDATE ledger.account_state SET posted = posted + 1 WHERE class = 'guarded'")
    assert ledger.broken() == {"I1", "I2"}


def test_a_lost_delta_is_seen(ledger: Ledger) -> None:
    corrupt(ledger, "DELETE FROM ledger.delta WHERE amount = 7")
    assert ledger.broken() == {"I1", "I2"}


def test_a_delta_that_was_folded_twice_is_seen(ledger: Ledger) -> None:
    corrupt(ledger, "INSERT INTO ledger.delta SELECT * FROM ledger.delta WHERE amount = 7")
    assert ledger.broken() == {"I1", "I2"}


def test_credits_that_moved_without_a_posting_are_seen_though_they_sum_to_zero(
    ledger: Ledger,
) -> None:
    corrupt(
        ledger,
        "UPDATE ledger.account_state SET posted = posted + 1 WHERE class = 'guarded'",
        "INSERT INTO ledger.delta SELECT id, -1 FROM ledger.account WHERE kind = 'promotion'",
    )
    assert ledger.broken() == {"I1"}


def test_a_deleted_posting_is_seen(ledger: Ledger) -> None:
    corrupt(ledger, "DELETE FROM ledger.transfer WHERE kind = 'grant'")
    assert ledger.broken() == {"I1"}


def test_an_edited_posting_is_seen(ledger: Ledger) -> None:
    corrupt(ledger, "UPDATE ledger.transfer SET amount = 8 WHERE kind = 'capture_developer'")
    assert ledger.broken() == {"I1", "I5"}


def test_a_lost_balance_is_seen(ledger: Ledger) -> None:
    corrupt(ledger, "DELETE FROM ledger.account_state WHERE class = 'guarded'")
    assert "I2" in ledger.broken()


def test_pending_without_a_hold_is_seen(ledger: Ledger) -> None:
    corrupt(ledger, "UPDATE ledger.account_state SET pending = 21 WHERE class = 'guarded'")
    assert ledger.broken() == {"I3"}


def test_a_hold_without_pending_is_seen(ledger: Ledger) -> None:
    corrupt(ledger, "DELETE FROM ledger.hold WHERE state = 'held'")
    assert ledger.broken() == {"I3"}


def test_an_overdrawn_wallet_is_seen(ledger: Ledger) -> None:
    corrupt(
        ledger,
        "ALTER TABLE ledger.account_state DROP CONSTRAINT never_overdrawn",
        "UPDATE ledger.account_state SET posted = 19 WHERE class = 'guarded'",
    )
    assert ledger.broken() == {"I1", "I2", "I4"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger.hold SET captured = 9 WHERE state = 'captured'",
        "UPDATE ledger.hold SET state = 'released', captured = 0 WHERE state = 'captured'",
        "DELETE FROM ledger.hold WHERE state = 'captured'",
    ],
)
def test_a_capture_that_does_not_match_its_split_is_seen(ledger: Ledger, change: str) -> None:
    corrupt(ledger, change)
    assert ledger.broken() == {"I5"}
