"""Events and their delivery: signed, repeated, held back, lost, doubled, forged."""

import time

import pytest
import stripe as sdk
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from tests.local.stripe.receiver import Receiver, running_receiver
from tests.local.stripe.shopping import order, paid, seller


def test_a_purchase_is_told_event_by_event(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    payment = paid(stripe, control)
    shop.wait_for(4)
    assert sorted(shop.types) == [
        "charge.succeeded",
        "checkout.session.completed",
        "payment_intent.created",
        "payment_intent.succeeded",
    ]
    event = shop.wait_for_type("checkout.session.completed").verified("whsec_own")
    assert event.data.object["id"] == payment.session
    assert event.data.object["payment_status"] == "paid"
    assert not event.livemode


def test_the_signature_covers_the_exact_bytes(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    paid(stripe, control)
    delivery = shop.wait_for(1)[0]
    assert delivery.verified("whsec_own").id == delivery.body["id"]
    delivery.payload += b" "
    with pytest.raises(sdk.SignatureVerificationError):
        delivery.verified("whsec_own")


def test_another_secret_does_not_verify(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    paid(stripe, control)
    with pytest.raises(sdk.SignatureVerificationError):
        shop.wait_for(1)[0].verified("whsec_connect")


def test_during_rotation_both_secrets_verify_and_then_only_the_new(
    stripe: StripeClient, control: StripeControl, receiver: Receiver
) -> None:
    name = control.add_receiver(receiver.url, secrets=["whsec_old"])
    control.change_secrets(name, ["whsec_new", "whsec_old"])
    paid(stripe, control)
    rotating = receiver.wait_for(4)[3]
    assert rotating.verified("whsec_old").id == rotating.verified("whsec_new").id
    control.change_secrets(name, ["whsec_new"])
    paid(stripe, control)
    after = receiver.wait_for(8)[7]
    after.verified("whsec_new")
    with pytest.raises(sdk.SignatureVerificationError):
        after.verified("whsec_old")


def test_own_and_connected_events_go_to_separate_receivers(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    with running_receiver() as connect:
        control.add_receiver(connect.url, secrets=["whsec_connect"], connect=True)
        account = seller(stripe, control)
        control.top_up(1000)
        stripe.v1.transfers.create({"amount": 500, "currency": "usd", "destination": account})
        control.payout(account)
        control.settle()
        assert shop.types == ["transfer.created"]
        assert connect.types == ["account.updated", "payout.created"]
        assert all(each.body["account"] == account for each in connect.deliveries)
        assert "account" not in shop.deliveries[0].body


def test_a_receiver_gets_only_the_types_it_wants(
    stripe: StripeClient, control: StripeControl, receiver: Receiver
) -> None:
    control.add_receiver(
        receiver.url, secrets=["whsec_own"], events=["checkout.session.*", "charge.refunded"]
    )
    payment = paid(stripe, control)
    stripe.v1.refunds.create({"charge": payment.charge})
    control.settle()
    assert sorted(receiver.types) == ["charge.refunded", "checkout.session.completed"]


def test_a_delivery_is_repeated_with_back_off_until_it_is_taken(
    stripe: StripeClient, control: StripeControl, receiver: Receiver
) -> None:
    control.add_receiver(receiver.url, secrets=["whsec_own"], events=["checkout.session.completed"])
    receiver.answers = [500, 302, 404]
    paid(stripe, control)
    control.settle()
    assert len(receiver.deliveries) == 1
    control.advance(4.9)
    assert len(receiver.deliveries) == 1
    control.advance(0.2)
    assert len(receiver.deliveries) == 2
    control.advance(9)
    assert len(receiver.deliveries) == 2
    control.advance(1.1)
    control.advance(20)
    control.advance(7 * 24 * 3600)
    assert [each["status"] for each in control.attempts()] == [500, 302, 404, 200]
    assert len({each.body["id"] for each in receiver.deliveries}) == 1
    assert receiver.deliveries[3].verified("whsec_own").pending_webhooks == 1
    assert stripe.v1.events.list().data[0].pending_webhooks == 0


def test_a_receiver_that_is_not_there_is_tried_again(
    stripe: StripeClient, control: StripeControl, receiver: Receiver
) -> None:
    name = control.add_receiver(
        "http://127.0.0.1:9/hook", secrets=["whsec_own"], events=["checkout.session.completed"]
    )
    paid(stripe, control)
    control.settle()
    assert control.attempts()[0]["status"] is None
    assert "ConnectionRefusedError" in control.attempts()[0]["problem"]
    control.remove_receiver(name)
    control.advance(3600)
    assert len(control.attempts()) == 1


def test_delivery_is_given_up_after_three_days(
    stripe: StripeClient, control: StripeControl, receiver: Receiver
) -> None:
    control.add_receiver(receiver.url, secrets=["whsec_own"], events=["checkout.session.completed"])
    receiver.answers = [503] * 100
    paid(stripe, control)
    control.advance(4 * 24 * 3600)
    tried = len(receiver.deliveries)
    control.advance(4 * 24 * 3600)
    assert 10 < tried < 40
    assert len(receiver.deliveries) == tried


def test_events_are_kept_and_listed(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    since = int(control.now())
    done = stripe.v1.events.list({"type": "checkout.session.completed"}).data
    charges = stripe.v1.events.list({"type": "charge.*"}).data
    several = stripe.v1.events.list(
        {"types": ["payment_intent.created", "payment_intent.succeeded"], "created": {"gte": since}}
    ).data
    assert [each.data.object["id"] for each in done] == [payment.session]
    assert [each.type for each in charges] == ["charge.succeeded"]
    assert [each.type for each in several] == ["payment_intent.succeeded", "payment_intent.created"]
    assert stripe.v1.events.retrieve(done[0].id).type == "checkout.session.completed"


def test_an_accounts_events_are_read_in_its_name(
    stripe: StripeClient, control: StripeControl
) -> None:
    account = seller(stripe, control)
    theirs = stripe.v1.events.list(options={"stripe_account": account}).data
    assert [each.type for each in theirs] == ["account.updated"]
    assert stripe.v1.events.list({"type": "account.updated"}).data == []


def test_an_event_keeps_what_was_true_when_it_happened(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    stripe.v1.refunds.create({"charge": payment.charge})
    event = stripe.v1.events.list({"type": "charge.succeeded"}).data[0]
    assert event.data.object["amount_refunded"] == 0


def test_an_event_names_the_request_that_caused_it(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    stripe.v1.refunds.create({"charge": payment.charge}, {"idempotency_key": "refund-1"})
    event = stripe.v1.events.list({"type": "refund.created"}).data[0]
    assert event.request is not None
    assert event.request.idempotency_key == "refund-1"
    assert str(event.request.id).startswith("req_")


def test_held_deliveries_wait_and_go_out_in_order(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    control.hold()
    paid(stripe, control)
    control.settle()
    assert shop.deliveries == []
    held = [each["type"] for each in control.held()]
    assert control.release() == 4
    control.settle()
    assert shop.types == held


def test_a_repeated_delivery_is_held_too_and_a_resent_one_is_not(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    shop.answers = [500, 500, 500, 500]
    paid(stripe, control)
    event = shop.wait_for(4)[0].body["id"]
    control.settle()
    control.hold()
    control.advance(3600)
    assert (len(shop.deliveries), len(control.held())) == (4, 4)
    control.resend(event)
    assert shop.wait_for(5)[4].body["id"] == event
    assert control.release() == 4
    shop.wait_for(9)


def test_held_deliveries_go_out_shuffled(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    control.hold()
    paid(stripe, control)
    in_order = [each["type"] for each in control.held()]
    control.release(shuffle_seed=1)
    control.settle()
    assert shop.types != in_order
    assert sorted(shop.types) == sorted(in_order)


def test_held_deliveries_can_be_lost(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    control.hold()
    paid(stripe, control)
    completed = next(
        each for each in control.held() if each["type"] == "checkout.session.completed"
    )
    assert control.drop_held([completed["event"]]) == 1
    control.release()
    control.settle()
    assert "checkout.session.completed" not in shop.types
    assert len(shop.types) == 3
    assert stripe.v1.events.retrieve(completed["event"]).type == "checkout.session.completed"


def test_a_dropped_delivery_never_comes(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    control.drop("checkout.session.completed")
    paid(stripe, control)
    control.advance(7 * 24 * 3600)
    assert "checkout.session.completed" not in shop.types
    paid(stripe, control)
    control.settle()
    assert "checkout.session.completed" in shop.types


def test_a_doubled_delivery_comes_twice(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    control.duplicate("checkout.session.completed")
    paid(stripe, control)
    control.settle()
    twice = [each for each in shop.deliveries if each.type == "checkout.session.completed"]
    assert len(twice) == 2
    assert twice[0].body["id"] == twice[1].body["id"]


def test_an_event_is_resent_by_its_id(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    paid(stripe, control)
    first = shop.wait_for(4)[0]
    control.advance(3600)
    assert control.resend(first.body["id"]) == 1
    again = shop.wait_for(5)[4]
    assert again.body["id"] == first.body["id"]
    assert again.headers["stripe-signature"] != first.headers["stripe-signature"]
    with pytest.raises(ValueError, match="no event"):
        control.resend("evt_nowhere")


def test_any_payload_can_be_signed_at_any_time(control: StripeControl) -> None:
    payload = '{"id": "evt_forged", "object": "event"}'
    good = control.sign(payload, secret="whsec_own")
    old = control.sign(payload, secret="whsec_own", timestamp=int(time.time()) - 301)
    event = sdk.Webhook.construct_event(payload, good, "whsec_own")
    assert event.id == "evt_forged"
    with pytest.raises(sdk.SignatureVerificationError, match="tolerance"):
        sdk.Webhook.construct_event(payload, old, "whsec_own")
    with pytest.raises(sdk.SignatureVerificationError):
        sdk.Webhook.construct_event(payload, control.sign(payload, secret="x"), "whsec_own")


def test_an_expired_session_is_told(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    session = stripe.v1.checkout.sessions.create(order())
    stripe.v1.checkout.sessions.expire(session.id)
    assert shop.wait_for(1)[0].type == "checkout.session.expired"
