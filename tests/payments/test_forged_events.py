"""Events that are not what they seem: forged, old, another's, about another's money."""

import json
import time
import uuid
from typing import Any

import pytest
from stripe import StripeClient

from common.payments import queries
from tests.payments.stripe_mail import (
    Shopper,
    bring,
    configured,
    effect,
    event_of,
    post,
    refused,
    seller,
    shopper,
)
from tests.world import CONNECT_SECRET, STRIPE_SECRET, World


@pytest.fixture
def who(world: World) -> Shopper:
    """A shopper who has paid, which nobody has told us yet."""
    made = shopper(world)
    made.pay()
    return made


@pytest.fixture
def event(world: World, who: Shopper) -> dict[str, Any]:
    """The event that would bring the credits."""
    assert who.wallet == (0, 0, False)
    return event_of(world, "checkout.session.completed")


def nothing_came(world: World, who: Shopper) -> None:
    """No credits, no trace of an event."""
    assert (who.wallet, who.movements) == ((0, 0, False), [])
    assert world.sql("SELECT id FROM stripe_events") == []
    assert world.violations() == []


@pytest.mark.parametrize("path", ["", "/connect"])
@pytest.mark.parametrize(
    "signature", [None, "", "t=1,v1=", "rubbish", "v1=00", "t=x,v1=00", "t=,v1=ÿ"]
)
def test_without_a_real_signature_nothing_is_accepted(
    world: World, who: Shopper, event: dict[str, Any], *, signature: str | None, path: str
) -> None:
    response = post(world, json.dumps(event), signature, path=path)
    assert refused(response, 400) == "BAD_SIGNATURE"
    nothing_came(world, who)


@pytest.mark.parametrize(
    ("secret", "path"),
    [("whsec_guess", ""), (CONNECT_SECRET, ""), (STRIPE_SECRET, "/connect"), ("", "")],
)
def test_each_route_has_a_secret_of_its_own(
    world: World, who: Shopper, event: dict[str, Any], *, secret: str, path: str
) -> None:
    assert refused(bring(world, event, secret=secret, path=path), 400) == "BAD_SIGNATURE"
    nothing_came(world, who)


def test_a_body_changed_on_the_way_is_refused(
    world: World, who: Shopper, event: dict[str, Any]
) -> None:
    payload = json.dumps(event)
    signature = world.stripe.sign(payload, secret=STRIPE_SECRET)
    for changed in (payload + " ", payload.replace(event["id"], "evt_other"), "{}", ""):
        assert refused(post(world, changed, signature), 400) == "BAD_SIGNATURE"
    nothing_came(world, who)


@pytest.mark.parametrize("seconds", [-302, -86_400, 360, 86_400])
def test_a_signature_of_another_time_is_a_replay(
    world: World, who: Shopper, event: dict[str, Any], seconds: int
) -> None:
    response = bring(world, event, timestamp=int(time.time()) + seconds)
    assert refused(response, 400) == "BAD_SIGNATURE"
    nothing_came(world, who)


@pytest.mark.parametrize("seconds", [-280, 280])
def test_clocks_may_differ_by_a_few_minutes(
    world: World, who: Shopper, event: dict[str, Any], seconds: int
) -> None:
    assert "paid" in effect(bring(world, event, timestamp=int(time.time()) + seconds))
    assert who.wallet == (1000, 0, False)


@pytest.mark.parametrize("text", ["[]", "1", "null", '{"id": "evt_1"}', "ÿ", "{"])
def test_what_is_signed_but_no_event_is_refused(world: World, who: Shopper, text: str) -> None:
    signature = world.stripe.sign(text, secret=STRIPE_SECRET)
    assert refused(post(world, text, signature), 400) == "BAD_SIGNATURE"
    nothing_came(world, who)


def test_an_event_of_another_account_does_nothing_on_our_own_route(
    world: World, who: Shopper, event: dict[str, Any]
) -> None:
    assert effect(bring(world, event | {"account": "acct_other"})) == "ignored"
    assert (who.wallet, who.movements) == ((0, 0, False), [])


def test_an_account_that_is_nobodys_does_nothing_on_the_connect_route(world: World) -> None:
    developer, account = seller(world)
    world.stripe.onboard(account)
    told = event_of(world, "account.updated", account=account)
    for changes in ({"account": "acct_other"}, {"account": None}, {"type": "account.imagined"}):
        other = told | changes | {"id": f"evt_{changes}"[:40]}
        assert effect(bring(world, other, secret=CONNECT_SECRET, path="/connect")) == "ignored"
    rows = world.sql("SELECT payouts_enabled FROM payout_accounts")
    assert [enabled for (enabled,) in rows] == [False]
    assert developer.ok("GET", "/api/studio/payouts") == []


def test_live_events_do_nothing_in_a_test_installation(
    world: World, who: Shopper, event: dict[str, Any]
) -> None:
    assert effect(bring(world, event | {"livemode": True})) == "ignored"
    assert (who.wallet, who.movements) == ((0, 0, False), [])
    ((seen,),) = world.sql("SELECT effect FROM stripe_events")
    assert "livemode" in seen


def test_events_of_unknown_types_are_taken_and_have_no_effect(
    world: World, who: Shopper, event: dict[str, Any]
) -> None:
    for kind in ("customer.created", "radar.early_fraud_warning.created", "made.up"):
        other = event | {"type": kind, "id": f"evt_{kind}", "data": {"object": {"id": "x_1"}}}
        assert effect(bring(world, other)) == "ignored"
    assert (who.wallet, who.movements) == ((0, 0, False), [])


def test_an_event_about_what_stripe_does_not_know_has_no_effect(
    world: World, who: Shopper, event: dict[str, Any]
) -> None:
    made_up = {"cs_other": "checkout.session.completed", "pi_other": "payment_intent.succeeded"}
    for name, kind in made_up.items():
        other = event | {"type": kind, "id": f"evt_{name}", "data": {"object": {"id": name}}}
        assert effect(bring(world, other)) == "ignored"
    assert (who.wallet, who.movements) == ((0, 0, False), [])


@pytest.mark.parametrize(
    "order",
    [{"cents": 100}, {"cents": 5000}, {}],
    ids=["less money", "more money", "another session"],
)
def test_money_that_is_not_our_orders_brings_no_credits_and_is_listed(
    world: World, order: dict[str, int]
) -> None:
    """Whoever can make sessions at our Stripe could write the id of any purchase on them."""
    victim = shopper(world)
    intent = paid_directly(world, victim.purchase, **order)
    told = event_of(world, "checkout.session.completed")
    assert told["data"]["object"]["payment_intent"] == intent
    assert effect(bring(world, told)) == "mismatch"
    assert (victim.wallet, victim.movements, victim.status) == ((0, 0, False), [], "pending")
    kinds = [each["kind"] for each in world.staff.ok("GET", "/api/admin/differences")]
    assert kinds == ["payment differs from its order"]

    victim.pay()
    assert "paid" in effect(bring(world, event_of(world, "checkout.session.completed")))
    assert victim.wallet == (1000, 0, False)


@pytest.mark.parametrize("forged", [{"sessionId": None}, {"currency": "jpy"}])
def test_a_payment_past_our_page_or_in_another_currency_brings_no_credits(
    world: World, forged: dict[str, Any]
) -> None:
    """By the step alone: the stand-in takes US dollars only, and on its page only."""
    victim = shopper(world)
    world.stripe.pay(victim.session)
    facts = world.runtime.stripe.session(victim.session).facts
    assert facts["paid"]
    now = world.clock.now()
    for seen, expected in ((facts | forged, "mismatch"), (facts, "paid")):
        with world.runtime.db.step() as connection:
            done = queries.observe(
                connection, uuid.UUID(victim.purchase), seen=seen, event=None, now=now
            )
        assert expected in done
    assert victim.wallet == (1000, 0, False)


def paid_directly(world: World, purchase: str, *, cents: int = 1000) -> str:
    """A payment at Stripe, made past us, that says it is for that purchase."""
    client = StripeClient(world.stripe.key, base_addresses={"api": world.stripe.url})
    price: Any = {
        "currency": "usd",
        "unit_amount": cents,
        "product_data": {"name": "credits"},
    }
    session = client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": "https://tarsify.com/credits",
            "metadata": {"purchase_id": purchase},
            "payment_intent_data": {"metadata": {"purchase_id": purchase}},
        }
    )
    return str(world.stripe.pay(session.id)["payment_intent"])


@pytest.mark.parametrize("written", ["", "not a uuid", "00000000-0000-4000-8000-000000000000"])
def test_a_payment_without_an_order_of_ours_brings_nobody_credits(
    world: World, written: str
) -> None:
    world.stripe.hold()  # or the stand-in brings the event before the test does
    paid_directly(world, written)
    told = effect(bring(world, event_of(world, "payment_intent.succeeded")))
    assert told in {"ignored", "unknown"}
    assert world.sql("SELECT 1 FROM purchases WHERE status = 'paid'") == []


@pytest.mark.parametrize(
    "missing",
    [
        {"stripe_webhook_secrets": (), "stripe_connect_webhook_secrets": ()},
        {"stripe_secret_key": ""},
    ],
    ids=["secrets", "key"],
)
def test_without_a_secret_or_a_key_nothing_is_accepted(
    world: World, who: Shopper, event: dict[str, Any], missing: dict[str, Any]
) -> None:
    with configured(world, **missing):
        for path, secret in (("", STRIPE_SECRET), ("/connect", CONNECT_SECRET), ("", "")):
            response = bring(world, event, path=path, secret=secret)
            assert refused(response, 503) == "PAYMENTS_UNAVAILABLE"
    nothing_came(world, who)
    assert "paid" in effect(bring(world, event))


def test_while_a_secret_is_rotated_both_work_and_then_the_new_one_only(
    world: World, who: Shopper, event: dict[str, Any]
) -> None:
    new = "whsec_the_new_one"
    with configured(world, stripe_webhook_secrets=(new, STRIPE_SECRET)):
        assert "paid" in effect(bring(world, event))
        assert effect(bring(world, event, secret=new)) == "duplicate"
        payload = json.dumps(event)
        signed = world.stripe.sign(payload, secret=STRIPE_SECRET)
        both = world.stripe.sign(payload, secret=new) + "," + signed.partition(",")[2]
        assert effect(post(world, payload, both)) == "duplicate"
    with configured(world, stripe_webhook_secrets=(new,)):
        assert refused(bring(world, event), 400) == "BAD_SIGNATURE"
        assert effect(bring(world, event, secret=new)) == "duplicate"
    assert who.wallet == (1000, 0, False)


@pytest.mark.parametrize("fault", ["error", "lost", "rate_limit"])
def test_while_stripe_cannot_be_asked_its_event_is_not_taken_and_its_repeat_is(
    world: World, who: Shopper, event: dict[str, Any], fault: str
) -> None:
    world.stripe.fault(fault, method="GET", path="/v1/checkout/sessions/*", next=None)
    assert refused(bring(world, event), 503) == "PAYMENTS_UNAVAILABLE"
    nothing_came(world, who)
    world.stripe.mend()
    assert "paid" in effect(bring(world, event))
    assert who.wallet == (1000, 0, False)
    assert world.violations() == []
