"""Refunds: whole, partial, never too much."""

import pytest
import stripe as sdk
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from tests.local.stripe.shopping import order, paid


def test_a_refund_by_payment_intent_gives_back_everything(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    refund = stripe.v1.refunds.create(
        {
            "payment_intent": payment.intent,
            "reason": "requested_by_customer",
            "metadata": {"case": "12"},
        }
    )
    charge = stripe.v1.charges.retrieve(payment.charge)
    assert (refund.amount, refund.status, refund.charge) == (2000, "succeeded", payment.charge)
    assert refund.reason == "requested_by_customer"
    assert refund.metadata is not None
    assert refund.metadata.to_dict() == {"case": "12"}
    assert (charge.amount_refunded, charge.refunded) == (2000, True)
    assert stripe.v1.refunds.retrieve(refund.id).to_dict() == refund.to_dict()


def test_the_fee_stays_with_stripe(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    refund = stripe.v1.refunds.create({"charge": payment.charge})
    movement = stripe.v1.balance_transactions.retrieve(str(refund.balance_transaction))
    assert (movement.type, movement.amount, movement.fee) == ("refund", -2000, 0)
    assert stripe.v1.balance.retrieve().available[0].amount == -88


def test_a_charge_is_refunded_in_parts_up_to_what_it_was(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    stripe.v1.refunds.create({"charge": payment.charge, "amount": 1500})
    with pytest.raises(sdk.InvalidRequestError, match="greater than unrefunded amount") as refused:
        stripe.v1.refunds.create({"charge": payment.charge, "amount": 501})
    assert refused.value.param == "amount"
    stripe.v1.refunds.create({"charge": payment.charge, "amount": 500})
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.refunds.create({"charge": payment.charge, "amount": 1})
    assert refused.value.code == "charge_already_refunded"
    assert sum(each.amount for each in stripe.v1.refunds.list().data) == 2000


def test_more_than_the_charge_is_refused(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    with pytest.raises(
        sdk.InvalidRequestError, match=r"\(\$20.01\) is greater than charge amount \(\$20.00\)"
    ):
        stripe.v1.refunds.create({"charge": payment.charge, "amount": 2001})


@pytest.mark.parametrize("amount", [0, -5])
def test_nothing_and_less_than_nothing_is_refused(
    stripe: StripeClient, control: StripeControl, amount: int
) -> None:
    payment = paid(stripe, control)
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.refunds.create({"charge": payment.charge, "amount": amount})
    assert refused.value.code == "parameter_invalid_integer"


def test_a_refund_needs_something_to_refund(stripe: StripeClient, control: StripeControl) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.refunds.create({"amount": 100})
    assert refused.value.code == "parameter_missing"
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.refunds.create({"payment_intent": "pi_nowhere"})
    assert (refused.value.code, refused.value.http_status) == ("resource_missing", 400)
    session = stripe.v1.checkout.sessions.create(order())
    control.decline(session.id)
    intent = str(stripe.v1.checkout.sessions.retrieve(session.id).payment_intent)
    with pytest.raises(sdk.InvalidRequestError, match="does not have a successful charge"):
        stripe.v1.refunds.create({"payment_intent": intent})


def test_a_refund_from_the_dashboard_is_told_by_an_event(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    refund = control.refund(payment.intent, amount=300, reason="duplicate")
    created, refunded = control.events()[-2:]
    assert created["type"] == "refund.created"
    assert created["data"]["object"]["id"] == refund["id"]
    assert refunded["type"] == "charge.refunded"
    assert refunded["data"]["object"]["amount_refunded"] == 300
    assert refunded["request"] == {"id": None, "idempotency_key": None}


def test_changed_metadata_update_the_refund(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    refund = stripe.v1.refunds.create({"charge": payment.charge, "metadata": {"a": "1", "b": "2"}})
    stripe.v1.refunds.update(refund.id, {"metadata": {"a": "", "c": "3"}})
    event = control.events()[-1]
    assert event["type"] == "refund.updated"
    assert event["data"]["object"]["metadata"] == {"b": "2", "c": "3"}
    assert event["data"]["previous_attributes"] == {"metadata": {"a": "1", "b": "2"}}


def test_a_refund_that_the_bank_sends_back_has_failed(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    refund = stripe.v1.refunds.create({"charge": payment.charge})
    control.fail_refund(refund.id)
    after = stripe.v1.refunds.retrieve(refund.id)
    charge = stripe.v1.charges.retrieve(payment.charge)
    assert after.status == "failed"
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert stripe.v1.balance.retrieve().available[0].amount == 1912
    assert [each["type"] for each in control.events()[-2:]] == ["refund.updated", "refund.failed"]
