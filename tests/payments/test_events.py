"""Stripe's events: repeated, early, late, forged. Each has its one effect or none."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.payments.stripe_mail import (
    Shopper,
    bring,
    effect,
    event_of,
    paid_out,
    seller,
    shopper,
)
from tests.world import CONNECT_SECRET, World

Deed = Callable[[World, Shopper], object]
Wallet = tuple[int, int, bool]
PAID: list[tuple[str, float]] = [("purchase", 1000)]
REFUNDED = [*PAID, ("purchase_refund", -400)]
TAKEN = [*PAID, ("dispute", -1000)]


def pay(_world: World, who: Shopper) -> None:
    who.pay()


def expire(world: World, who: Shopper) -> None:
    world.stripe.expire(who.session)


def refund(world: World, who: Shopper) -> str:
    return str(world.stripe.refund(who.pay(), amount=400)["id"])


def refund_failed(world: World, who: Shopper) -> None:
    world.stripe.fail_refund(refund(world, who))


def dispute(world: World, who: Shopper) -> str:
    return str(world.stripe.open_dispute(who.pay())["id"])


def lost(world: World, who: Shopper) -> None:
    world.stripe.lose_dispute(dispute(world, who))


def won(world: World, who: Shopper) -> None:
    world.stripe.win_dispute(dispute(world, who))


# What happens at Stripe; the one event of it that arrives; the wallet and statement it makes.
EVENTS: list[tuple[str, Deed, Wallet, list[tuple[str, float]]]] = [
    ("checkout.session.completed", pay, (1000, 0, False), PAID),
    ("payment_intent.succeeded", pay, (1000, 0, False), PAID),
    ("charge.succeeded", pay, (1000, 0, False), PAID),
    ("checkout.session.expired", expire, (0, 0, False), []),
    ("charge.refunded", refund, (600, 0, False), REFUNDED),
    ("refund.created", refund, (600, 0, False), REFUNDED),
    ("refund.failed", refund_failed, (1000, 0, False), PAID),
    ("charge.dispute.created", dispute, (0, 0, True), TAKEN),
    ("charge.dispute.funds_withdrawn", dispute, (0, 0, True), TAKEN),
    ("charge.dispute.closed", lost, (0, 0, True), TAKEN),
    ("charge.dispute.funds_reinstated", won, (1000, 0, False), [*TAKEN, ("dispute_won", 1000)]),
]


@pytest.mark.parametrize(
    ("kind", "deed", "wallet", "statement"), EVENTS, ids=[f"{kind}" for kind, *_ in EVENTS]
)
def test_an_event_that_arrives_alone_and_twice_has_its_whole_effect_once(
    world: World, kind: str, deed: Deed, wallet: Wallet, statement: list[tuple[str, float]]
) -> None:
    who = shopper(world)
    deed(world, who)
    event = event_of(world, kind)
    first, second = (effect(bring(world, event)) for _ in range(2))
    assert first not in {"nothing", "ignored"}
    assert second == "duplicate"
    assert (who.wallet, who.movements) == (wallet, statement)
    assert world.violations() == []


def test_only_stripes_own_word_ends_an_account_whatever_the_event_says(world: World) -> None:
    developer, account = seller(world)
    ended = {
        "id": "evt_deauthorized",
        "object": "event",
        "type": "account.application.deauthorized",
        "account": account,
        "livemode": False,
        "data": {"object": {"id": "ca_1", "object": "application", "name": "Tarsify"}},
    }
    bring(world, ended, secret=CONNECT_SECRET, path="/connect")
    assert developer.ok("GET", "/api/studio/payouts/account")["connected"]
    world.stripe.deauthorize(account)
    event = event_of(world, "account.application.deauthorized", account=account)
    first, second = (
        effect(bring(world, event, secret=CONNECT_SECRET, path="/connect")) for _ in range(2)
    )
    assert (first, second) == ("account closed", "duplicate")
    assert not developer.ok("GET", "/api/studio/payouts/account")["connected"]


def test_the_same_news_under_another_event_id_changes_nothing_either(world: World) -> None:
    who = shopper(world)
    lost(world, who)
    for event in world.stripe.events():
        effect(bring(world, event))
    before = who.wallet, who.movements
    again = [effect(bring(world, e | {"id": f"{e['id']}x"})) for e in world.stripe.events()]
    assert set(again) <= {"nothing", "ignored"}
    assert (who.wallet, who.movements) == before == ((0, 0, True), TAKEN)


@pytest.mark.parametrize("seed", range(4))
def test_a_long_story_ends_alike_in_whatever_order_its_events_arrive(
    world: World, seed: int
) -> None:
    order = random.Random(seed)
    people = {deed: shopper(world) for deed in (pay, expire, refund, refund_failed, lost, won)}
    letters: list[dict[str, Any]] = []
    seen: set[str] = set()
    for deed, who in people.items():
        deed(world, who)
        fresh = [each for each in world.stripe.events() if each["id"] not in seen]
        seen |= {each["id"] for each in fresh}
        letters += fresh * 2
        order.shuffle(letters)
        for _ in range(len(letters) // 2):  # the rest comes later, among what happens next
            effect(bring(world, letters.pop()))
    for letter in letters:
        effect(bring(world, letter))
    assert {deed.__name__: (who.status, who.wallet) for deed, who in people.items()} == {
        "pay": ("paid", (1000, 0, False)),
        "expire": ("expired", (0, 0, False)),
        "refund": ("paid", (600, 0, False)),
        "refund_failed": ("paid", (1000, 0, False)),
        "lost": ("paid", (0, 0, True)),
        "won": ("paid", (1000, 0, False)),
    }
    assert world.violations() == []


def test_news_that_grows_while_its_events_arrive_late_is_booked_once_each(world: World) -> None:
    """Each event comes when the next thing has happened already."""
    who = shopper(world)
    payment = who.pay()
    bring(world, event_of(world, "payment_intent.succeeded"))
    assert who.wallet == (1000, 0, False)
    first = world.stripe.refund(payment, amount=300)
    early = event_of(world, "charge.refunded")
    world.stripe.refund(payment, amount=200)
    assert effect(bring(world, early)) == "refunded,refunded"
    assert effect(bring(world, event_of(world, "charge.refunded"))) == "nothing"
    world.stripe.fail_refund(first["id"])
    case = world.stripe.open_dispute(payment, amount=500)
    bring(world, event_of(world, "charge.dispute.created"))
    world.stripe.win_dispute(case["id"])
    bring(world, event_of(world, "charge.dispute.closed"))
    assert who.wallet == (800, 0, False)
    assert who.movements == [
        ("purchase", 1000), ("purchase_refund", -300), ("purchase_refund", -200),
        ("refund_failed", 300), ("dispute", -500), ("dispute_won", 500),
    ]  # fmt: skip


def test_an_account_that_was_completed_can_be_paid_once_its_event_arrives(world: World) -> None:
    developer, account = seller(world)
    world.stripe.onboard(account)
    event = event_of(world, "account.updated", account=account)
    assert developer.refused(409, "POST", "/api/studio/payouts/request", {})["code"] == (
        "PAYOUT_ACCOUNT_MISSING"
    )
    brought = [bring(world, event, secret=CONNECT_SECRET, path="/connect") for _ in range(2)]
    assert [effect(each) for each in brought] == ["account", "duplicate"]
    world.stripe.top_up(1_000_000)
    assert developer.ok("POST", "/api/studio/payouts/request", {})["status"] == "completed"


def test_an_old_event_of_an_account_that_was_restricted_since_does_not_open_it(
    world: World,
) -> None:
    developer, account = seller(world)
    world.stripe.onboard(account)
    old = event_of(world, "account.updated", account=account)
    world.stripe.restrict(account)
    assert effect(bring(world, old, secret=CONNECT_SECRET, path="/connect")) == "account"
    assert not developer.ok("GET", "/api/studio/payouts/account")["payoutsEnabled"]


def test_a_transfer_that_came_back_is_due_again_once_however_often_it_is_told(
    world: World,
) -> None:
    developer, payout = paid_out(world)
    world.stripe.reverse_transfer(payout["stripeTransferId"], amount=2000)
    first = event_of(world, "transfer.reversed")
    world.stripe.reverse_transfer(payout["stripeTransferId"])
    told = [first, event_of(world, "transfer.reversed")] * 2
    assert [effect(bring(world, event)) for event in told] == [
        "returned", "nothing", "duplicate", "duplicate",
    ]  # fmt: skip
    shown = developer.ok("GET", "/api/studio/earnings")
    assert (shown["availableBalance"], shown["totalPaidOut"]) == (7000, 0)
