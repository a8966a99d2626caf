"""Our books against Stripe's: what a lost webhook left undone, and what nobody can explain."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text
from stripe import StripeClient

from common.payments import queries
from tests.payments.stripe_mail import Shopper, paid_out, reference, seller, shopper
from tests.world import World

Deed = Callable[[World, Shopper], Any]


@pytest.fixture
def owner(world: World) -> Iterator[Connection]:
    """The database's owner, whom nothing stops."""
    engine = create_engine(world.settings.database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        yield connection
    engine.dispose()


def differences(world: World) -> list[tuple[str, str, int | None, int | None]]:
    """What staff see listed: kind, what, ours, theirs."""
    shown = world.staff.ok("GET", "/api/admin/differences")
    return [(each["kind"], each["what"], each["ours"], each["theirs"]) for each in shown]


def paid(world: World) -> Shopper:
    """A shopper whose credits are there; every webhook is lost."""
    who = shopper(world)
    who.pay()
    who.caller.ok("GET", f"/api/marketplace/credits/purchases/{who.purchase}")
    assert who.wallet == (1000, 0, False)
    world.stripe.drop_held()
    return who


def payment_of(world: World, who: Shopper) -> str:
    query = "SELECT payment_intent_id FROM purchases WHERE id = :id"
    return str(world.sql(query, id=who.purchase)[0][0])


@pytest.mark.parametrize("path", ["/reconcile", "/payments"])
def test_a_payment_whose_webhook_was_lost_is_found(world: World, path: str) -> None:
    who = shopper(world)
    who.pay()
    assert world.stripe.drop_held() > 0
    world.clock.shift += timedelta(minutes=3)
    assert who.wallet == (0, 0, False)
    world.scheduled(path)
    world.scheduled(path)
    assert (who.wallet, who.movements) == ((1000, 0, False), [("purchase", 1000)])
    assert differences(world) == []


def test_an_order_that_nobody_paid_expires_without_a_webhook(world: World) -> None:
    who = shopper(world)
    world.stripe.expire(who.session)
    world.stripe.drop_held()
    world.clock.shift += timedelta(minutes=3)
    assert world.scheduled("/payments")["purchases"] == 1
    assert who.status == "expired"
    world.clock.shift += timedelta(days=2)
    assert world.scheduled("/payments")["purchases"] == 0


LOST: list[tuple[str, Deed, tuple[int, int, bool]]] = [
    ("refund", lambda w, s: w.stripe.refund(payment_of(w, s), amount=300), (700, 0, False)),
    ("dispute", lambda w, s: w.stripe.open_dispute(payment_of(w, s)), (0, 0, True)),
]


@pytest.mark.parametrize(("deed", "wallet"), [case[1:] for case in LOST], ids=["refund", "dispute"])
def test_money_that_left_while_webhooks_were_lost_is_followed(
    world: World, deed: Deed, wallet: tuple[int, int, bool]
) -> None:
    who = paid(world)
    world.scheduled("/reconcile")
    deed(world, who)
    world.stripe.drop_held()
    assert who.wallet == (1000, 0, False)
    assert world.scheduled("/reconcile")["repaired"] == 1
    assert who.wallet == wallet
    assert world.scheduled("/reconcile") | {"payments": 1, "transactions": 2} == {
        "payments": 1, "transactions": 2, "repaired": 0, "open_differences": 0,
    }  # fmt: skip
    assert world.violations() == []


def test_a_transfer_that_came_back_while_webhooks_were_lost_is_due_again(world: World) -> None:
    developer, payout = paid_out(world)
    world.scheduled("/reconcile")
    world.stripe.reverse_transfer(payout["stripeTransferId"], amount=2000)
    world.stripe.drop_held()
    assert world.scheduled("/reconcile")["repaired"] == 1
    shown = developer.ok("GET", "/api/studio/earnings")
    assert (shown["availableBalance"], shown["totalPaidOut"]) == (2000, 5000)
    assert differences(world) == []


def test_a_payment_that_nobody_ordered_is_listed_until_it_is_gone(
    world: World, owner: Connection
) -> None:
    world.stripe.hold()
    client = StripeClient(world.stripe.key, base_addresses={"api": world.stripe.url})
    price: Any = {"currency": "usd", "unit_amount": 700, "product_data": {"name": "a mug"}}
    session = client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": "https://tarsify.com/mugs",
        }
    )
    intent = str(world.stripe.pay(session.id)["payment_intent"])
    world.scheduled("/reconcile")
    world.scheduled("/reconcile")
    listed = differences(world)
    assert ("payment without a purchase", intent, None, 700) in listed
    assert len(listed) == len(set(listed)) == 2  # and its money, which is not in our books

    world.stripe.reset()
    owner.execute(text("DELETE FROM stripe_transactions"))
    world.scheduled("/reconcile")
    assert differences(world) == []
    rows = world.sql("SELECT count(*) FROM reconciliation_differences WHERE cleared_at IS NULL")
    assert rows[0][0] == 0


def test_money_that_differs_from_our_books_is_listed_and_cleared_once_it_agrees(
    world: World, owner: Connection
) -> None:
    who = paid(world)
    world.scheduled("/reconcile")
    assert differences(world) == []
    owner.execute(text("UPDATE purchases SET fee_cents = fee_cents + 5"))
    world.scheduled("/reconcile")
    ((kind, what, ours, theirs),) = differences(world)
    assert (kind, what[:3]) == ("money at Stripe", "ch_")
    assert ours is not None
    assert theirs == ours + 5
    owner.execute(text("UPDATE purchases SET fee_cents = fee_cents - 5"))
    world.scheduled("/reconcile")
    assert differences(world) == []
    assert who.wallet == (1000, 0, False)


def test_top_ups_and_stripes_payouts_are_booked_to_the_treasury_once(world: World) -> None:
    world.stripe.hold()
    world.stripe.top_up(50_000)
    for _ in range(3):
        world.scheduled("/reconcile")
    query = "SELECT posted::bigint FROM ledger.balance WHERE kind = :kind"
    assert [world.sql(query, kind=k)[0][0] for k in ("treasury", "stripe_clearing")] == [
        50_000 * 10_000, -50_000 * 10_000,
    ]  # fmt: skip
    line = {
        "id": "txn_payout",
        "type": "payout",
        "source": "po_1",
        "netCents": -20_000,
        "currency": "usd",
        "createdAt": world.clock.now().isoformat(),
    }
    for _ in range(2):
        with world.runtime.db.step() as connection:
            queries.keep_transactions(connection, [line], world.clock.now())
    assert world.sql(query, kind="treasury")[0][0] == 30_000 * 10_000
    assert differences(world) == []
    assert world.violations() == []


def test_a_payout_that_does_not_end_is_listed_until_it_does(world: World) -> None:
    developer, account = seller(world)
    world.stripe.onboard(account)
    developer.ok("GET", "/api/studio/payouts/account")
    world.stripe.top_up(1_000_000)
    world.stripe.fault("error", method="POST", path="/v1/transfers", next=None)
    payout = developer.ok("POST", "/api/studio/payouts/request", {})
    world.scheduled("/reconcile")
    assert differences(world) == []
    world.clock.shift += timedelta(hours=2)
    world.scheduled("/payments")
    world.scheduled("/reconcile")
    assert differences(world) == [("payout stuck", payout["id"], 7000, None)]
    world.stripe.mend()
    world.clock.shift += timedelta(hours=2)
    world.scheduled("/payments")
    world.scheduled("/reconcile")
    assert differences(world) == []
    assert [each["status"] for each in developer.ok("GET", "/api/studio/payouts")] == ["completed"]


def test_a_fee_that_is_known_later_than_the_payment_is_booked_then(world: World) -> None:
    who = shopper(world)
    who.pay()
    world.stripe.drop_held()
    facts = world.runtime.stripe.session(who.session).facts
    with world.runtime.db.step() as connection:
        queries.observe(
            connection,
            uuid.UUID(who.purchase),
            seen=facts | {"feeCents": None},
            event=None,
            now=world.clock.now(),
        )
    fees = "SELECT fee_cents FROM purchases"
    assert (who.wallet, world.sql(fees)[0][0]) == ((1000, 0, False), None)
    world.scheduled("/reconcile")
    assert world.sql(fees)[0][0] == facts["feeCents"] > 0
    posted = "SELECT posted::bigint FROM ledger.balance WHERE kind = 'stripe_fee'"
    assert abs(world.sql(posted)[0][0]) == facts["feeCents"] * 10_000
    assert differences(world) == []
    assert who.movements == [("purchase", 1000)]


def test_while_stripe_cannot_be_read_nothing_is_listed_or_cleared(
    world: World, owner: Connection
) -> None:
    paid(world)
    owner.execute(text("UPDATE purchases SET fee_cents = fee_cents + 5"))
    world.scheduled("/reconcile")
    before = differences(world)
    assert len(before) == 1
    world.stripe.fault("error", method="GET", path="/v1/balance_transactions", next=None)
    world.scheduled("/reconcile")
    assert differences(world) == before
    owner.execute(text("UPDATE purchases SET fee_cents = fee_cents - 5"))
    world.stripe.mend()
    world.scheduled("/reconcile")


def test_a_refund_of_staffs_that_stripe_did_not_answer_is_one_refund(world: World) -> None:
    who = paid(world)
    world.stripe.fault("lost", method="POST", path="/v1/refunds", next=2)
    path = f"/api/admin/purchases/{who.purchase}/refund"
    asked = world.staff.ok("POST", path, reference(amountCents=400))
    assert asked["refund"]["status"] == "requested"
    world.clock.shift += timedelta(minutes=3)
    assert world.scheduled("/payments")["refunds"] == 1
    assert who.movements == [("purchase", 1000), ("purchase_refund", -400)]
    world.scheduled("/reconcile")
    assert differences(world) == []


def test_what_we_booked_and_stripe_never_had_is_listed_until_it_is_there(
    world: World, owner: Connection
) -> None:
    who = paid(world)
    world.stripe.reset()
    assert world.scheduled("/reconcile")["open_differences"] == 0  # it may be too new to be read
    world.clock.shift += timedelta(hours=2)
    world.scheduled("/reconcile")
    rows = world.sql("SELECT charge_id, amount_cents - fee_cents, payment_intent_id FROM purchases")
    ((charge, cents, intent),) = rows
    assert sorted(differences(world)) == [
        ("money at Stripe", charge, cents, 0),
        ("purchase without a payment", who.purchase, 1000, None),
    ]
    line = {"id": "txn_1", "type": "charge", "source": charge, "netCents": cents, "currency": "usd"}
    payment = {"id": intent, "amountCents": 1000, "createdAt": world.clock.now().isoformat()}
    with world.runtime.db.step() as connection:
        line["createdAt"] = payment["createdAt"]
        queries.keep_transactions(connection, [line], world.clock.now())
        queries.keep_payments(connection, [payment])
    world.scheduled("/reconcile")
    assert differences(world) == []


def test_after_a_long_pause_stripes_books_are_read_from_where_they_were_left(world: World) -> None:
    paid(world)
    world.clock.shift += timedelta(days=45)
    assert world.scheduled("/reconcile")["transactions"] == 1
    assert differences(world) == []
    world.clock.shift += timedelta(days=45)
    assert world.scheduled("/reconcile")["transactions"] == 0
    assert differences(world) == []
    assert world.violations() == []


def test_money_in_another_currency_is_listed_apart(world: World, owner: Connection) -> None:
    world.stripe.hold()
    line = {"id": "txn_1", "type": "charge", "source": "ch_1", "netCents": 500, "currency": "eur"}
    with world.runtime.db.step() as connection:
        line["createdAt"] = world.clock.now().isoformat()
        queries.keep_transactions(connection, [line], world.clock.now())
    world.scheduled("/reconcile")
    apart = [("money in another currency at Stripe", "ch_1 EUR", 0, 500)]
    assert differences(world) == apart
    world.scheduled("/reconcile")
    assert differences(world) == apart
    owner.execute(text("DELETE FROM stripe_transactions"))
    world.scheduled("/reconcile")
    assert differences(world) == []


def silence(world: World) -> int:
    """How many hours staff are told that nobody has compared the books; 0: nothing is wrong."""
    shown = world.staff.ok("GET", "/api/admin/audit")
    (rule,) = [each for each in shown["invariants"] if each["code"] == "I11"]
    assert world.scheduled("/audit")["violations"] == rule["violations"] == len(rule["examples"])
    return sum(each["difference"] for each in rule["examples"])


def test_a_reconciliation_that_does_not_come_about_breaks_an_invariant(world: World) -> None:
    assert silence(world) == 0
    paid(world)
    world.clock.shift += timedelta(hours=2)
    assert silence(world) == 0
    world.clock.shift += timedelta(hours=2)
    assert silence(world) == 4
    world.stripe.fault("error", method="GET", path="/v1/balance_transactions", next=None)
    world.scheduled("/reconcile")
    assert silence(world) == 4
    world.stripe.mend()
    world.scheduled("/reconcile")
    assert silence(world) == 0
    world.clock.shift += timedelta(days=1)
    assert silence(world) == 24


BROKEN = [
    (
        "UPDATE purchases SET fee_cents = fee_cents + 5;"
        " UPDATE stripe_transactions SET created_at = created_at - interval '4 days'",
        "I8",
    ),
    (
        "UPDATE stripe_payments SET created_at = created_at - interval '2 days';"
        " UPDATE purchases SET status = 'pending', paid_at = NULL, next_check_at = now()",
        "I9",
    ),
    (
        "INSERT INTO stripe_payments VALUES ('pi_unknown', 100, now() - interval '2 days')",
        "I9",
    ),
    (
        "DELETE FROM stripe_transactions;"
        " UPDATE reconciliations SET began_at = began_at + interval '4 days'",
        "I8",
    ),
    (
        "UPDATE stripe_transactions SET created_at = created_at - interval '4 days',"
        " source = 'ch_1', currency = 'eur';"
        " UPDATE purchases SET charge_id = NULL",
        "I8",
    ),
    (
        "DELETE FROM stripe_payments;"
        " UPDATE reconciliations SET began_at = began_at + interval '2 days'",
        "I9",
    ),
]


@pytest.mark.parametrize(("change", "rule"), BROKEN)
def test_books_that_stay_apart_break_an_invariant(
    world: World, owner: Connection, change: str, rule: str
) -> None:
    paid(world)
    world.scheduled("/reconcile")
    assert world.violations() == []
    saved = ("purchases", "stripe_transactions", "stripe_payments")
    for table in saved:
        owner.execute(text(f"CREATE TEMP TABLE kept_{table} AS SELECT * FROM {table}"))
    for statement in change.split(";"):
        owner.execute(text(statement))
    assert [row[0][:2] for row in world.violations()] == [rule]
    assert world.scheduled("/audit")["violations"] == 1
    for table in saved:  # generated columns are none of these tables'
        owner.execute(text(f"DELETE FROM {table}"))
        owner.execute(text(f"INSERT INTO {table} SELECT * FROM kept_{table}"))


def test_staff_close_a_difference_that_no_comparison_clears_once_and_on_record(
    world: World,
) -> None:
    with world.runtime.db.step() as connection:
        queries.note_difference(
            connection,
            "payment differs from its order",
            "an order",
            ours=500,
            theirs=700,
            day=None,
            now=world.clock.now(),
        )
    (listed,) = world.staff.ok("GET", "/api/admin/differences")
    path = f"/api/admin/differences/{listed['id']}/close"
    order = {"reference": str(uuid.uuid4()), "reason": "sent back by hand"}

    assert world.staff.ok("POST", path, order) == {"id": listed["id"], "doneNow": True}
    assert world.staff.ok("POST", path, order) == {"id": listed["id"], "doneNow": False}

    assert differences(world) == []
    other = {"reference": str(uuid.uuid4()), "reason": "again"}
    assert world.staff.refused(404, "POST", path, other)["code"] == "DIFFERENCE_NOT_FOUND"
    none = path.replace(listed["id"], str(uuid.uuid4()))
    assert world.staff.refused(404, "POST", none, other)["code"] == "DIFFERENCE_NOT_FOUND"
    (acted,) = world.staff.ok("GET", f"/api/admin/actions?subject={listed['id']}")
    assert (acted["action"], acted["reason"]) == ("close difference", "sent back by hand")
    assert acted["before"]["theirs"] == 700
