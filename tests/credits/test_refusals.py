"""What the ledger refuses: of the application by privilege, of everybody by constraint."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from common.db import Database
from infra.local.postgres import PostgresServer
from tests.factories import NOW, make_consumer
from tests.steps import Steps, refusal

CHECK, FOREIGN_KEY, UNIQUE = "23514", "23503", "23505"
GUARD, PRIVILEGE = "23001", "42501"


@pytest.fixture(scope="module")
def database_url(postgres: PostgresServer, template: str) -> Iterator[str]:
    """One database for all of them: a refusal changes nothing, and each test has its own wallet."""
    postgres.create_database("refusals", template=template)
    yield postgres.url("refusals")
    postgres.drop_database("refusals")


@pytest.fixture
def app(db: Database, in_order: None) -> Iterator[Connection]:
    """A connection as the application role."""
    with db.step() as connection:
        yield connection


@pytest.fixture
def consumer(db: Database, in_order: None) -> uuid.UUID:
    """Somebody with 7 credits."""
    return make_consumer(db, credits_=7)


@pytest.fixture
def wallet(owner: Connection, consumer: uuid.UUID) -> int:
    query = text("SELECT id FROM ledger.account WHERE kind = 'wallet' AND owner_id = :owner")
    return int(owner.scalar(query, {"owner": consumer}))


@pytest.fixture
def promotion(owner: Connection, wallet: int) -> int:
    return int(owner.scalar(text("SELECT id FROM ledger.account WHERE kind = 'promotion'")))


def hold(owner: Connection, wallet: int, amount: int) -> uuid.UUID:
    """An open hold, placed as an execution places it; the test must see to its end."""
    made = uuid.uuid4()
    owner.execute(
        text("SELECT ledger.place_hold(:id, :wallet, :amount, :now, :now)"),
        {"id": made, "wallet": wallet, "amount": amount, "now": NOW},
    )
    return made


def release(owner: Connection, held: uuid.UUID) -> None:
    owner.execute(text("SELECT ledger.release(:id, :now)"), {"id": held, "now": NOW})


POSTING = """
INSERT INTO ledger.transfer (kind, ref, debit_id, credit_id, unit, amount, at)
VALUES ('grant', gen_random_uuid(), :debit, :credit, :unit, :amount, now())
"""


def test_a_wallet_cannot_be_overdrawn_even_by_a_direct_update(
    owner: Connection, wallet: int
) -> None:
    overdraft = "UPDATE ledger.account_state SET posted = -1 WHERE account_id = :id"
    assert refusal(owner, overdraft, id=wallet) == CHECK


def test_a_wallet_cannot_hold_more_than_is_on_it_even_by_a_direct_update(
    owner: Connection, wallet: int
) -> None:
    pending = "UPDATE ledger.account_state SET pending = posted + 1 WHERE account_id = :id"
    assert refusal(owner, pending, id=wallet) == CHECK


def test_pending_cannot_become_negative(owner: Connection, wallet: int) -> None:
    negative = "UPDATE ledger.account_state SET pending = -1 WHERE account_id = :id"
    assert refusal(owner, negative, id=wallet) == CHECK


def test_a_wallet_cannot_be_relabelled_so_that_it_may_be_overdrawn(
    owner: Connection, wallet: int
) -> None:
    relabel = "UPDATE ledger.account_state SET class = 'deferred' WHERE account_id = :id"
    assert refusal(owner, relabel, id=wallet) == FOREIGN_KEY


def test_a_wallet_that_may_be_overdrawn_cannot_be_opened(owner: Connection, wallet: int) -> None:
    statement = (
        "INSERT INTO ledger.account (unit, class, kind, owner_id)"
        " VALUES ('UCR', 'deferred', 'wallet', gen_random_uuid())"
    )
    assert refusal(owner, statement) == CHECK


@pytest.mark.parametrize("kind", ["wallet", "developer_payable"])
def test_an_account_of_nobody_cannot_be_opened_for_a_person(
    owner: Connection, kind: str, wallet: int
) -> None:
    assert refusal(owner, "SELECT ledger.account_of(:kind, NULL)", kind=kind) == CHECK


def test_a_hold_above_the_balance_is_refused_with_what_is_available(
    owner: Connection, wallet: int, steps: Steps, consumer: uuid.UUID
) -> None:
    statement = "SELECT ledger.place_hold(gen_random_uuid(), :wallet, 7000001, now(), now())"
    assert refusal(owner, statement, wallet=wallet) == "P0402"
    assert steps.credits_of(consumer) == (7, 0)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_hold_of_nothing_or_less_is_refused(owner: Connection, wallet: int, amount: int) -> None:
    statement = "SELECT ledger.place_hold(gen_random_uuid(), :wallet, :amount, now(), now())"
    assert refusal(owner, statement, wallet=wallet, amount=amount) == CHECK


def test_a_frozen_wallet_starts_nothing_new(owner: Connection, wallet: int) -> None:
    freeze = "UPDATE ledger.account_state SET frozen = true WHERE account_id = :id"
    owner.execute(text(freeze), {"id": wallet})
    statement = "SELECT ledger.place_hold(gen_random_uuid(), :wallet, 1, now(), now())"
    assert refusal(owner, statement, wallet=wallet) == "P0403"


def test_a_frozen_wallet_lets_its_open_holds_end(owner: Connection, wallet: int) -> None:
    held = hold(owner, wallet, 1_000_000)
    freeze = "UPDATE ledger.account_state SET frozen = true WHERE account_id = :id"
    owner.execute(text(freeze), {"id": wallet})
    release(owner, held)
    pending = "SELECT pending FROM ledger.account_state WHERE account_id = :id"
    assert owner.scalar(text(pending), {"id": wallet}) == 0


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE ledger.transfer SET amount = 1",
        "UPDATE ledger.transfer SET at = now()",
        "DELETE FROM ledger.transfer",
        "TRUNCATE ledger.transfer",
        "TRUNCATE ledger.transfer CASCADE",
        "UPDATE ledger.account SET unit = 'UUSD'",
        "UPDATE ledger.account SET owner_id = gen_random_uuid()",
        "TRUNCATE ledger.account CASCADE",
        "DELETE FROM ledger.account_state",
        "TRUNCATE ledger.account_state",
    ],
)
def test_history_cannot_be_rewritten_even_by_the_owner(
    owner: Connection, wallet: int, attack: str
) -> None:
    assert refusal(owner, attack) == GUARD


@pytest.mark.parametrize("amount", [0, -5])
def test_a_posting_of_nothing_or_less_is_refused(
    owner: Connection, wallet: int, promotion: int, amount: int
) -> None:
    values = {"debit": promotion, "credit": wallet, "unit": "UCR", "amount": amount}
    assert refusal(owner, POSTING, **values) == CHECK


def test_a_transfer_from_an_account_to_itself_is_refused(owner: Connection, wallet: int) -> None:
    values = {"debit": wallet, "credit": wallet, "unit": "UCR", "amount": 5}
    assert refusal(owner, POSTING, **values) == CHECK


@pytest.mark.parametrize("unit", ["UCR", "UUSD"])
def test_credits_never_become_dollars(owner: Connection, wallet: int, unit: str) -> None:
    dollars = owner.scalar(text("SELECT ledger.account_of('treasury', NULL)"))
    values = {"debit": dollars, "credit": wallet, "unit": unit, "amount": 5}
    assert refusal(owner, POSTING, **values) == FOREIGN_KEY


def test_a_posting_to_an_account_that_does_not_exist_is_refused(
    owner: Connection, wallet: int
) -> None:
    values = {"debit": wallet, "credit": 999_999, "unit": "UCR", "amount": 5}
    assert refusal(owner, POSTING, **values) == FOREIGN_KEY


def test_the_same_reference_cannot_be_posted_twice(owner: Connection, wallet: int) -> None:
    again = (
        "INSERT INTO ledger.transfer (kind, ref, leg, debit_id, credit_id, unit, amount, at)"
        " SELECT kind, ref, leg, debit_id, credit_id, unit, amount, at FROM ledger.transfer"
    )
    assert refusal(owner, again) == UNIQUE


def test_a_hold_is_never_reopened_nor_resolved_another_way(owner: Connection, wallet: int) -> None:
    held = hold(owner, wallet, 1_000_000)
    release(owner, held)
    for state in ("held", "captured", "released"):
        change = "UPDATE ledger.hold SET state = :state WHERE id = :id"
        assert refusal(owner, change, state=state, id=held) == GUARD


@pytest.mark.parametrize("change", ["amount = 1", "account_id = 1", "id = gen_random_uuid()"])
def test_the_terms_of_a_hold_never_change(owner: Connection, wallet: int, change: str) -> None:
    held = hold(owner, wallet, 1_000_000)
    resolved = f"state = 'released', resolved_at = now(), {change}"
    assert refusal(owner, f"UPDATE ledger.hold SET {resolved} WHERE id = :id", id=held) == GUARD
    release(owner, held)


@pytest.mark.parametrize("attack", ["DELETE FROM ledger.hold", "TRUNCATE ledger.hold"])
def test_a_hold_is_never_deleted(owner: Connection, wallet: int, attack: str) -> None:
    held = hold(owner, wallet, 1_000_000)
    assert refusal(owner, attack) == GUARD
    release(owner, held)


@pytest.mark.parametrize(
    "state",
    [
        "state = 'captured', resolved_at = now()",
        "state = 'captured', captured = amount + 1, resolved_at = now()",
        "state = 'released', captured = 1, resolved_at = now()",
        "state = 'released'",
        "state = 'refunded', resolved_at = now()",
    ],
)
def test_a_hold_resolves_to_what_makes_sense_or_not_at_all(
    owner: Connection, wallet: int, state: str
) -> None:
    held = hold(owner, wallet, 1_000_000)
    assert refusal(owner, f"UPDATE ledger.hold SET {state} WHERE id = :id", id=held) == CHECK
    release(owner, held)


@pytest.mark.parametrize("fee", [-1, 1_000_001, None])
def test_a_split_that_does_not_sum_to_the_whole_is_refused(
    owner: Connection, wallet: int, fee: int | None
) -> None:
    held = hold(owner, wallet, 1_000_000)
    capture = "SELECT ledger.capture(:id, gen_random_uuid(), :fee, now())"
    assert refusal(owner, capture, id=held, fee=fee) == CHECK
    release(owner, held)


def test_what_was_never_held_cannot_be_captured_or_released(owner: Connection, wallet: int) -> None:
    capture = "SELECT ledger.capture(gen_random_uuid(), gen_random_uuid(), 1, now())"
    assert refusal(owner, capture) == "P0404"
    assert refusal(owner, "SELECT ledger.release(gen_random_uuid(), now())") == "P0404"


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE ledger.account_state SET posted = posted + 1000000",
        "UPDATE ledger.account_state SET frozen = false",
        "INSERT INTO ledger.account_state (account_id, class) VALUES (1, 'guarded')",
        "DELETE FROM ledger.account_state",
        "INSERT INTO ledger.account (unit, class, kind) VALUES ('UCR', 'guarded', 'wallet')",
        "UPDATE ledger.account SET unit = 'UUSD'",
        "DELETE FROM ledger.account",
        "UPDATE ledger.transfer SET amount = 1",
        "DELETE FROM ledger.transfer",
        "TRUNCATE ledger.transfer",
        "INSERT INTO ledger.transfer (kind, ref, debit_id, credit_id, unit, amount, at)"
        " VALUES ('grant', gen_random_uuid(), 1, 2, 'UCR', 5, now())",
        "INSERT INTO ledger.delta VALUES (1, 5)",
        "UPDATE ledger.delta SET amount = 5",
        "DELETE FROM ledger.delta",
        "INSERT INTO ledger.hold (id, account_id, amount, expires_at, created_at)"
        " VALUES (gen_random_uuid(), 1, 5, now(), now())",
        "UPDATE ledger.hold SET state = 'released'",
        "DELETE FROM ledger.hold",
        "TRUNCATE ledger.hold",
        "ALTER TABLE ledger.transfer DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "CREATE TABLE ledger.mine ()",
        "CREATE FUNCTION ledger.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_the_application_writes_no_table_of_the_ledger(
    app: Connection, wallet: int, attack: str
) -> None:
    assert refusal(app, attack) == PRIVILEGE


@pytest.mark.parametrize(
    "call",
    [
        "ledger.account_of('wallet', gen_random_uuid())",
        "ledger.apply(1, 5)",
        "ledger.post('grant', gen_random_uuid(), 0::smallint, 1, 2, 5, now())",
        "ledger.place_hold(gen_random_uuid(), 1, 5, now(), now())",
        "ledger.available(1)",
        "ledger.resolve(gen_random_uuid(), 'captured', now())",
        "ledger.capture(gen_random_uuid(), gen_random_uuid(), 1, now())",
        "ledger.release(gen_random_uuid(), now())",
    ],
)
def test_the_application_calls_whole_steps_and_not_their_parts(app: Connection, call: str) -> None:
    assert refusal(app, f"SELECT {call}") == PRIVILEGE


@pytest.mark.parametrize("amount", [0, -1_000_000])
def test_nothing_or_less_cannot_be_granted(
    app: Connection, consumer: uuid.UUID, amount: int
) -> None:
    statement = (
        "SELECT ledger.grant_credits(gen_random_uuid(), :consumer, :amount, 'staff', 'why', now())"
    )
    assert refusal(app, statement, consumer=consumer, amount=amount) == CHECK


def test_a_grant_to_nobody_is_refused(app: Connection) -> None:
    statement = "SELECT ledger.grant_credits(gen_random_uuid(), NULL, 5, 'staff', 'a test', now())"
    assert refusal(app, statement) == CHECK
