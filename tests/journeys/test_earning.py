"""A developer earns, waits, connects an account and is paid."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from stripe import StripeClient

from tests.world import Caller, Model, World

EARNINGS, PAYOUTS = "/api/studio/earnings", "/api/studio/payouts"
DAY = 86_400
PRICE = 1000


def sold(world: World, model: Model, times: int) -> Caller:
    """A consumer who ran the model that often."""
    consumer = world.consumer(credits_=PRICE * times)
    for _ in range(times):
        world.ended(consumer, world.run(consumer, model))
    return consumer


def days(world: World, number: float) -> None:
    world.clock.shift += timedelta(days=number)


def connected(world: World, developer: Caller) -> str:
    """The developer's account at Stripe, ready to be paid."""
    page = developer.ok("POST", f"{PAYOUTS}/connect-stripe", {"country": "US"})
    assert page["onboardingUrl"].startswith(world.stripe.url)
    rows = world.sql(
        "SELECT account_id FROM payout_accounts WHERE closed_at IS NULL"
        " ORDER BY updated_at DESC LIMIT 1"
    )
    account = str(rows[0][0])
    world.stripe.onboard(account)
    shown = developer.ok("GET", f"{PAYOUTS}/account")
    assert shown == {"connected": True, "detailsSubmitted": True, "payoutsEnabled": True}
    return account


def summary(developer: Caller) -> dict[str, Any]:
    found: dict[str, Any] = developer.ok("GET", EARNINGS)
    return found


def test_earnings_clear_after_a_week_and_are_paid_to_the_developers_account(world: World) -> None:
    model = world.model(price=PRICE)
    developer = model.developer
    sold(world, model, 10)
    earned = summary(developer)
    assert (earned["pendingBalance"], earned["availableBalance"]) == (7000, 0)
    assert earned["thisMonth"] == {"gross": 10_000, "platformFee": 3000, "net": 7000}
    refused = developer.refused(409, "POST", f"{PAYOUTS}/request", {})
    assert refused["code"] == "PAYOUT_ACCOUNT_MISSING"
    connected(world, developer)
    refused = developer.refused(409, "POST", f"{PAYOUTS}/request", {})
    assert refused["code"] == "BELOW_LEAST_PAYOUT"

    days(world, 7.01)
    assert summary(developer)["availableBalance"] == 7000
    world.stripe.top_up(1_000_000)
    payout = developer.ok("POST", f"{PAYOUTS}/request", {"amount": 5000})

    assert (payout["status"], payout["amount"]) == ("completed", 5000)
    after = summary(developer)
    assert (after["availableBalance"], after["totalPaidOut"]) == (2000, 5000)
    history = developer.ok("GET", f"{EARNINGS}/history?limit=3")
    assert [e["netEarning"] for e in history] == [700.0] * 3
    breakdown = developer.ok("GET", f"{EARNINGS}/breakdown")
    assert [(m["modelSlug"], m["totalRuns"], m["totalEarnings"]) for m in breakdown] == [
        (model.slug, 10, 7000)
    ]


def shut_out(world: World, account: str) -> None:
    """The developer takes Tarsify's access away; the account goes on without us."""
    world.stripe.deauthorize(account)


def rejected(world: World, account: str) -> None:
    """Stripe closes the account for good."""
    world.stripe.restrict(account, reason="rejected.terms_of_service")


@pytest.mark.parametrize("ended", [shut_out, rejected])
@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_an_account_that_has_ended_is_replaced_by_another_to_which_the_next_payout_goes(
    world: World, ended: Callable[[World, str], None], told: bool
) -> None:
    model = world.model(price=PRICE)
    developer = model.developer
    sold(world, model, 20)
    first = connected(world, developer)
    days(world, 8)
    world.stripe.top_up(1_000_000)
    paid = developer.ok("POST", f"{PAYOUTS}/request", {"amount": 7000})
    if not told:
        world.stripe.hold()
    ended(world, first)
    world.stripe.settle()
    unsent = developer.call("POST", f"{PAYOUTS}/request", {"amount": 5000})
    if told:
        assert unsent.json()["error"]["code"] == "PAYOUT_ACCOUNT_MISSING"
    else:
        assert unsent.json()["data"]["status"] == "failed"
    shown = developer.ok("GET", f"{PAYOUTS}/account")
    assert shown == {"connected": False, "detailsSubmitted": False, "payoutsEnabled": False}
    assert developer.ok("GET", "/api/studio/auth/me")["stripeAccountId"] is None

    second = connected(world, developer)
    assert second != first
    assert developer.ok("GET", "/api/studio/auth/me")["stripeAccountId"] == second
    again = developer.ok("POST", f"{PAYOUTS}/request", {"amount": 6000})
    assert again["status"] == "completed"
    query = "SELECT account_id FROM payouts WHERE id = :id"
    went = [world.sql(query, id=each["id"])[0][0] for each in (paid, again)]
    assert went == [first, second]


def test_a_payout_under_way_to_an_account_that_has_ended_stays_what_it_is(world: World) -> None:
    model = world.model(price=PRICE)
    developer = model.developer
    sold(world, model, 10)
    first = connected(world, developer)
    days(world, 8)
    world.stripe.top_up(1_000_000)
    world.stripe.fault("lost", method="POST", path="/v1/transfers", next=2)
    assert developer.ok("POST", f"{PAYOUTS}/request", {})["status"] == "processing"
    world.stripe.deauthorize(first)
    second = connected(world, developer)
    days(world, 0.01)
    world.scheduled("/payments")
    (payout,) = developer.ok("GET", PAYOUTS)
    assert payout["status"] == "completed"
    rows = world.sql("SELECT account_id FROM payouts")
    assert [row[0] for row in rows] == [first] != [second]


def test_an_account_that_only_lacks_something_is_not_replaced(world: World) -> None:
    developer = world.developer()
    account = connected(world, developer)
    world.stripe.restrict(account)
    world.stripe.settle()
    shown = developer.ok("GET", f"{PAYOUTS}/account")
    assert (shown["connected"], shown["payoutsEnabled"]) == (True, False)
    assert connected(world, developer) == account


def country_refused(developer: Caller, body: dict[str, Any]) -> str:
    error = developer.refused(400, "POST", f"{PAYOUTS}/connect-stripe", body)
    ((field, message),) = [each.values() for each in error["details"]["errors"]]
    assert field == "country"
    return str(message)


def test_a_developer_without_a_country_is_asked_for_it_and_gets_no_account_elsewhere(
    world: World,
) -> None:
    developer = world.developer()
    assert "is needed" in country_refused(developer, {})
    assert world.sql("SELECT 1 FROM payout_accounts") == []
    developer.ok("PUT", "/api/studio/auth/profile", {"country": "de"})
    developer.ok("POST", f"{PAYOUTS}/connect-stripe", {})
    ((account,),) = world.sql("SELECT account_id FROM payout_accounts")
    client = StripeClient(world.stripe.key, base_addresses={"api": world.stripe.url})
    opened = client.v1.accounts.retrieve(account)
    assert opened.country == "DE"
    assert opened.to_dict()["tos_acceptance"]["service_agreement"] == "recipient"
    developer.ok("POST", f"{PAYOUTS}/connect-stripe", {})  # it is open: nothing is asked any more


def test_a_country_that_stripe_refuses_is_said_and_another_one_may_be_given(world: World) -> None:
    developer = world.developer()
    developer.ok("PUT", "/api/studio/auth/profile", {"country": "KP"})
    assert country_refused(developer, {}).startswith("is KP, where Stripe pays nobody")
    assert country_refused(developer, {"country": "ir"}).startswith("is IR")
    developer.ok("POST", f"{PAYOUTS}/connect-stripe", {"country": "FR"})


def test_an_account_that_stripe_cannot_open_now_is_not_blamed_on_the_country(
    world: World,
) -> None:
    world.stripe.fault("error", method="POST", path="/v1/accounts", next=None)
    error = world.developer().refused(503, "POST", f"{PAYOUTS}/connect-stripe", {"country": "US"})
    assert error["code"] == "PAYMENTS_UNAVAILABLE"


def test_a_dispute_of_the_payment_that_paid_for_runs_postpones_no_earnings(world: World) -> None:
    """infra/decisions/2026-11-27-a-dispute-postpones-no-earnings.md"""
    model = world.model(price=PRICE)
    consumer = world.consumer()
    world.bought(consumer, 10 * PRICE)
    for _ in range(10):
        world.ended(consumer, world.run(consumer, model))
    connected(world, model.developer)
    ((payment,),) = world.sql("SELECT payment_intent_id FROM purchases")
    world.stripe.open_dispute(payment)
    world.stripe.settle()
    wallet = consumer.ok("GET", "/api/marketplace/credits")
    assert (wallet["frozen"], wallet["owed"]) == (True, 10 * PRICE)
    assert summary(model.developer)["availableBalance"] == 0
    days(world, 8)
    assert summary(model.developer)["availableBalance"] == 7000
    world.stripe.top_up(1_000_000)
    assert model.developer.ok("POST", f"{PAYOUTS}/request", {})["status"] == "completed"


def test_a_refused_payout_gives_the_money_back_once(world: World) -> None:
    model = world.model(price=PRICE)
    sold(world, model, 10)
    account = connected(world, model.developer)
    days(world, 8)
    world.stripe.hold()  # nobody tells us in time
    world.stripe.restrict(account)
    failed = model.developer.ok("POST", f"{PAYOUTS}/request", {})
    assert (failed["status"], failed["failureCode"]) == (
        "failed", "insufficient_capabilities_for_transfer",
    )  # fmt: skip
    assert summary(model.developer)["availableBalance"] == 7000
    world.scheduled("/payments")
    assert summary(model.developer)["availableBalance"] == 7000


def test_a_transfer_that_comes_back_is_due_again_once(world: World) -> None:
    model = world.model(price=PRICE)
    sold(world, model, 10)
    connected(world, model.developer)
    days(world, 8)
    world.stripe.top_up(1_000_000)
    payout = model.developer.ok("POST", f"{PAYOUTS}/request", {})
    world.stripe.duplicate("transfer.reversed", next=2)
    world.stripe.reverse_transfer(payout["stripeTransferId"], amount=2000)
    world.stripe.reverse_transfer(payout["stripeTransferId"])
    for _ in range(500):
        if summary(model.developer)["availableBalance"] == 7000:
            break
        threading.Event().wait(0.02)
    world.stripe.settle()
    after = summary(model.developer)
    assert (after["availableBalance"], after["totalPaidOut"]) == (7000, 0)
    told = model.developer.ok("GET", "/api/studio/events")
    paid, *returned = [e for e in told if e["type"].startswith("payout.")]
    assert (paid["type"], paid["data"]["amountCents"]) == ("payout.paid", 7000)
    assert {e["type"] for e in returned} == {"payout.failed"}
    assert sum(e["data"]["amountCents"] for e in returned) == 7000


def test_a_payout_whose_answer_is_lost_is_one_transfer(world: World) -> None:
    model = world.model(price=PRICE)
    sold(world, model, 10)
    connected(world, model.developer)
    days(world, 8)
    world.stripe.top_up(1_000_000)
    world.stripe.fault("lost", method="POST", path="/v1/transfers", next=2)
    unclear = model.developer.ok(
        "POST", f"{PAYOUTS}/request", {}, **{"Idempotency-Key": "all of it"}
    )
    assert unclear["status"] == "processing"
    assert summary(model.developer)["pendingPayout"] == 7000
    days(world, 0.01)
    world.scheduled("/payments")
    again = model.developer.call(
        "POST", f"{PAYOUTS}/request", {}, **{"Idempotency-Key": '"all of it"'}
    )
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["data"] == unclear
    (payout,) = model.developer.ok("GET", PAYOUTS)
    assert (payout["id"], payout["status"]) == (unclear["id"], "completed")
    assert summary(model.developer)["totalPaidOut"] == 7000


@pytest.mark.parametrize(
    ("first", "other"), [({"amount": 7000}, {}), ({}, {"amount": 7000}), ({"amount": 5000}, {})]
)
def test_a_payouts_key_is_for_the_same_words_only_also_when_they_come_to_the_same_amount(
    world: World, first: dict[str, int], other: dict[str, int]
) -> None:
    model = world.model(price=PRICE)
    sold(world, model, 10)
    connected(world, model.developer)
    days(world, 8)
    world.stripe.top_up(1_000_000)
    key = {"Idempotency-Key": "payday"}
    paid = model.developer.ok("POST", f"{PAYOUTS}/request", first, **key)
    assert model.developer.ok("POST", f"{PAYOUTS}/request", first, **key)["id"] == paid["id"]
    refused = model.developer.refused(422, "POST", f"{PAYOUTS}/request", other, **key)
    assert refused["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert len(model.developer.ok("GET", PAYOUTS)) == 1


def test_an_unclear_payout_of_yesterday_is_looked_up_and_never_sent_twice(world: World) -> None:
    model = world.model(price=PRICE)
    sold(world, model, 10)
    connected(world, model.developer)
    days(world, 8)
    world.stripe.top_up(1_000_000)
    world.stripe.fault("lost", method="POST", path="/v1/transfers", next=2)
    model.developer.ok("POST", f"{PAYOUTS}/request", {})
    world.stripe.advance(2 * DAY)
    days(world, 2)
    world.scheduled("/payments")
    (payout,) = model.developer.ok("GET", PAYOUTS)
    assert payout["status"] == "completed"
    assert len(world.sql("SELECT 1 FROM payouts WHERE transfer_id IS NOT NULL")) == 1


def test_a_payout_that_never_reached_stripe_is_given_back_after_a_day(world: World) -> None:
    model = world.model(price=PRICE)
    sold(world, model, 10)
    connected(world, model.developer)
    days(world, 8)
    world.stripe.fault("error", method="POST", path="/v1/transfers", next=2)
    model.developer.ok("POST", f"{PAYOUTS}/request", {})
    days(world, 2)
    world.scheduled("/payments")
    (payout,) = model.developer.ok("GET", PAYOUTS)
    assert payout["status"] == "failed"
    assert summary(model.developer)["availableBalance"] == 7000


def test_a_refunded_run_takes_both_shares_back_and_the_next_payout_is_that_much_less(
    world: World,
) -> None:
    model = world.model(price=PRICE)
    consumer = sold(world, model, 10)
    connected(world, model.developer)
    days(world, 8)
    world.stripe.top_up(1_000_000)
    model.developer.ok("POST", f"{PAYOUTS}/request", {})
    run = consumer.ok("GET", "/api/marketplace/runs")[0]["id"]
    order = {"reference": str(uuid.uuid4()), "reason": "a poor result"}

    done = world.staff.ok("POST", f"/api/admin/runs/{run}/refund", order)
    assert (done["refundedCredits"], done["doneNow"]) == (PRICE, True)
    assert not world.staff.ok("POST", f"/api/admin/runs/{run}/refund", order)["doneNow"]

    assert world.balance(consumer) == PRICE
    shown = world.shown(consumer, run)["billing"]
    assert (shown["state"], shown["refundedCredits"]) == ("REFUNDED", PRICE)
    assert summary(model.developer)["availableBalance"] == 0
    leave = {"confirm": "delete my account", "giveUp": True}
    refused = model.developer.refused(409, "POST", "/api/studio/account/delete", leave)
    assert refused["code"] == "ACCOUNT_OWES"
    days(world, 8)
    world.ended(consumer, world.run(consumer, model))
    days(world, 8)
    assert summary(model.developer)["availableBalance"] == 0  # 700 earned, 700 owed
    acted = world.staff.ok("GET", f"/api/admin/actions?subject={run}")
    assert [(a["action"], a["reason"]) for a in acted] == [("refund run", "a poor result")]
