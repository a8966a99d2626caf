"""The ledger's promises: what moves once, what may be repeated, what always sums to the whole."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import DBAPIError

from common.credits import service
from common.credits.schemas import GrantIn
from common.db import Database, sqlstate
from common.errors import Conflict
from tests.credits.ledger import Ledger
from tests.factories import NOW, make_consumer

DEVELOPER = uuid.UUID(int=1)
CREDIT = 1_000_000


@pytest.fixture
def ledger(owner: Connection, in_order: None) -> Ledger:
    return Ledger(owner)


def order(consumer_id: uuid.UUID, **more: object) -> GrantIn:
    given = {"credits": 5, "reason": "a welcome", "reference": uuid.uuid4(), **more}
    return GrantIn.model_validate({"consumerId": consumer_id, **given})


def test_a_grant_counts_once_per_reference(db: Database, ledger: Ledger) -> None:
    consumer = make_consumer(db)
    welcome = order(consumer)
    with db.step() as connection:
        assert service.grant(connection, welcome, by="staff", now=NOW)
        assert not service.grant(connection, welcome, by="staff", now=NOW)
    assert ledger.balance("wallet", consumer) == 5 * CREDIT
    assert ledger.balance("promotion") == -5 * CREDIT


def test_the_same_reference_for_another_amount_is_a_conflict(db: Database, ledger: Ledger) -> None:
    consumer = make_consumer(db)
    reference = uuid.uuid4()
    with db.step() as connection:
        service.grant(connection, order(consumer, reference=reference), by="staff", now=NOW)
        other = order(consumer, reference=reference, credits=6)
        with pytest.raises(Conflict):
            service.grant(connection, other, by="staff", now=NOW)
    assert ledger.balance("wallet", consumer) == 5 * CREDIT


def test_the_same_reference_for_another_consumer_is_a_conflict(
    db: Database, ledger: Ledger
) -> None:
    first, second = make_consumer(db), make_consumer(db)
    reference = uuid.uuid4()
    with db.step() as connection:
        service.grant(connection, order(first, reference=reference), by="staff", now=NOW)
        with pytest.raises(Conflict):
            service.grant(connection, order(second, reference=reference), by="staff", now=NOW)
    assert ledger.balance("wallet", second) == 0


def test_a_hold_reserves_without_spending(db: Database, ledger: Ledger) -> None:
    consumer = ledger.funded(7 * CREDIT)
    ledger.held(consumer, 3 * CREDIT)
    with db.transaction() as session:
        shown = service.balance(session, consumer)
    assert (shown.balance, shown.held) == (4, 3)
    assert ledger.balance("wallet", consumer) == 7 * CREDIT


def test_a_wallet_can_be_held_to_the_last_micro_credit(ledger: Ledger) -> None:
    consumer = ledger.funded(7)
    ledger.held(consumer, 6)
    ledger.held(consumer, 1)
    with pytest.raises(DBAPIError) as refused:
        ledger.held(consumer, 1)
    assert sqlstate(refused.value) == "P0402"


def test_a_refused_hold_says_what_is_available(ledger: Ledger) -> None:
    consumer = ledger.funded(7)
    ledger.held(consumer, 4)
    with pytest.raises(DBAPIError) as refused:
        ledger.held(consumer, 4)
    assert refused.value.orig is not None
    assert refused.value.orig.args[0]["D"] == "3"


def test_repeating_a_hold_reserves_nothing_more(ledger: Ledger) -> None:
    consumer = ledger.funded(7)
    hold = ledger.held(consumer, 4)
    assert ledger.hold(hold, consumer, 4) == "exists"
    assert ledger.pending(consumer) == 4


def test_a_hold_is_not_repeated_with_other_values(ledger: Ledger) -> None:
    consumer, other = ledger.funded(9), ledger.funded(9)
    hold = ledger.held(consumer, 4)
    for owner_id, amount in ((consumer, 5), (other, 4)):
        with pytest.raises(DBAPIError) as refused:
            ledger.hold(hold, owner_id, amount)
        assert sqlstate(refused.value) == "23505"


def test_repeating_a_capture_takes_nothing_more(ledger: Ledger) -> None:
    consumer = ledger.funded(100)
    hold = ledger.held(consumer, 60)
    assert ledger.capture(hold, DEVELOPER, 18) == "captured"
    assert ledger.capture(hold, DEVELOPER, 18) == "already_captured"
    assert ledger.balance("wallet", consumer) == 40
    assert ledger.balance("developer_payable", DEVELOPER) == 42
    assert ledger.balance("platform_fee") == 18


def test_repeating_a_release_gives_nothing_more(ledger: Ledger) -> None:
    consumer = ledger.funded(100)
    hold = ledger.held(consumer, 60)
    assert ledger.release(hold) == "released"
    assert ledger.release(hold) == "already_released"
    assert (ledger.balance("wallet", consumer), ledger.pending(consumer)) == (100, 0)


def test_what_was_captured_is_not_released(ledger: Ledger) -> None:
    consumer = ledger.funded(100)
    hold = ledger.held(consumer, 60)
    ledger.capture(hold, DEVELOPER, 18)
    assert ledger.release(hold) == "already_captured"
    assert (ledger.balance("wallet", consumer), ledger.pending(consumer)) == (40, 0)


def test_what_was_released_is_not_captured(ledger: Ledger) -> None:
    consumer = ledger.funded(100)
    hold = ledger.held(consumer, 60)
    ledger.release(hold)
    assert ledger.capture(hold, DEVELOPER, 18) == "already_released"
    assert ledger.balance("wallet", consumer) == 100
    assert ledger.balance("developer_payable", DEVELOPER) == 0


@pytest.mark.parametrize("amount", [1, 2, 3, 7, 99, 1_000_001, 9_999_999_999])
def test_seventy_and_thirty_percent_sum_to_the_whole(ledger: Ledger, amount: int) -> None:
    consumer = ledger.funded(amount)
    fee = amount * 3_000 // 10_000
    ledger.capture(ledger.held(consumer, amount), DEVELOPER, fee)
    developer = ledger.balance("developer_payable", DEVELOPER)
    assert developer + ledger.balance("platform_fee") == amount
    assert 0 <= developer * 10 - amount * 7 < 10
    assert ledger.balance("wallet", consumer) == 0


@pytest.mark.parametrize(("fee", "developer"), [(0, 50), (50, 0)])
def test_a_share_of_nothing_is_no_posting(ledger: Ledger, fee: int, developer: int) -> None:
    consumer = ledger.funded(50)
    ledger.capture(ledger.held(consumer, 50), DEVELOPER, fee)
    assert ledger.balance("developer_payable", DEVELOPER) == developer
    assert ledger.balance("platform_fee") == fee


def test_balances_count_what_is_not_folded_yet(ledger: Ledger) -> None:
    consumer = ledger.funded(100)
    ledger.capture(ledger.held(consumer, 60), DEVELOPER, 18)
    assert ledger.folded("developer_payable", DEVELOPER) == 0
    assert ledger.balance("developer_payable", DEVELOPER) == 42


def test_folding_moves_each_delta_into_its_balance_once(ledger: Ledger) -> None:
    consumer = ledger.funded(100)
    for _ in range(3):
        ledger.capture(ledger.held(consumer, 10), DEVELOPER, 3)
    assert ledger.fold() == 7  # three shares of the developer's, three fees, one grant
    assert ledger.fold() == 0
    assert ledger.folded("developer_payable", DEVELOPER) == 21
    assert ledger.folded("platform_fee") == 9
    assert ledger.folded("promotion") == -100


@pytest.fixture
def late(database_url: str) -> Iterator[Connection]:
    """A second connection of the owner's that commits when the test says so."""
    engine = create_engine(
        database_url, poolclass=pool.NullPool, connect_args={"ssl_context": False}
    )
    with engine.connect() as connection:
        yield connection


def test_a_fold_misses_nothing_that_commits_late(ledger: Ledger, late: Connection) -> None:
    slow, quick = ledger.funded(10), ledger.funded(10)
    slow_hold, quick_hold = ledger.held(slow, 10), ledger.held(quick, 10)
    ledger.capture(ledger.held(ledger.funded(1), 1), DEVELOPER, 0)  # opens the accounts
    ledger.fold()
    Ledger(late).capture(slow_hold, DEVELOPER, 0)  # its delta is older, and not committed
    ledger.capture(quick_hold, DEVELOPER, 0)
    assert ledger.fold() == 1
    assert ledger.balance("developer_payable", DEVELOPER) == 11
    late.commit()
    assert ledger.balance("developer_payable", DEVELOPER) == 21
    assert ledger.fold() == 1
    assert ledger.folded("developer_payable", DEVELOPER) == 21


def test_a_fold_that_is_rolled_back_loses_nothing(ledger: Ledger, late: Connection) -> None:
    ledger.capture(ledger.held(ledger.funded(10), 10), DEVELOPER, 0)
    assert Ledger(late).fold() == 2
    late.rollback()
    assert ledger.fold() == 2
    assert ledger.folded("developer_payable", DEVELOPER) == 10


def test_a_run_that_is_rolled_back_leaves_no_trace(ledger: Ledger, late: Connection) -> None:
    consumer = ledger.funded(10)
    hold = ledger.held(consumer, 10)
    Ledger(late).capture(hold, DEVELOPER, 3)
    late.rollback()
    assert ledger.pending(consumer) == 10
    assert ledger.release(hold) == "released"
    assert ledger.balance("developer_payable", DEVELOPER) == 0


def test_what_runs_cost_a_consumer_is_shown_in_whole_credits(db: Database, ledger: Ledger) -> None:
    consumer = ledger.funded(10 * CREDIT)
    for _ in range(2):
        ledger.capture(ledger.held(consumer, CREDIT), DEVELOPER, 300_000)
    with db.transaction() as session:
        assert service.spent_credits(session, consumer) == 2


def test_who_never_had_credits_has_none(db: Database, ledger: Ledger) -> None:
    with db.transaction() as session:
        shown = service.balance(session, make_consumer(db))
        assert (shown.balance, shown.held) == (0, 0)
