"""Disputes: withdrawn when opened, reinstated when won."""

import pytest
import stripe as sdk
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from tests.local.stripe.shopping import paid


def test_a_dispute_withdraws_the_amount_and_a_fee(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    name = control.open_dispute(payment.intent)["id"]
    dispute = stripe.v1.disputes.retrieve(name)
    movement = dispute.balance_transactions[0]
    assert (dispute.status, dispute.reason, dispute.amount) == (
        "needs_response",
        "fraudulent",
        2000,
    )
    assert (dispute.charge, dispute.payment_intent) == (payment.charge, payment.intent)
    assert (movement.type, movement.amount, movement.fee, movement.net) == (
        "adjustment",
        -2000,
        1500,
        -3500,
    )
    assert movement.reporting_category == "dispute"
    assert stripe.v1.charges.retrieve(payment.charge).disputed
    assert stripe.v1.balance.retrieve().available[0].amount == 1912 - 3500
    listed = stripe.v1.balance_transactions.list({"type": "adjustment"}).data
    assert [each.id for each in listed] == [movement.id]
    assert [each["type"] for each in control.events()[-2:]] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
    ]


def test_a_won_dispute_gives_the_amount_back_and_keeps_the_fee(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    name = control.open_dispute(payment.charge)["id"]
    control.win_dispute(name)
    dispute = stripe.v1.disputes.retrieve(name)
    assert dispute.status == "won"
    assert [each.net for each in dispute.balance_transactions] == [-3500, 2000]
    assert stripe.v1.balance.retrieve().available[0].amount == 1912 - 1500
    assert [each["type"] for each in control.events()[-2:]] == [
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]


def test_a_won_dispute_can_return_the_fee_as_it_used_to(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    control.win_dispute(control.open_dispute(payment.charge)["id"], return_fee=True)
    assert stripe.v1.balance.retrieve().available[0].amount == 1912


def test_a_lost_dispute_gives_nothing_back(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    name = control.open_dispute(payment.charge)["id"]
    control.lose_dispute(name)
    assert stripe.v1.disputes.retrieve(name).status == "lost"
    assert control.events()[-1]["type"] == "charge.dispute.closed"
    assert control.events()[-1]["data"]["object"]["status"] == "lost"
    with pytest.raises(ValueError, match="lost"):
        control.win_dispute(name)


def test_a_part_of_a_charge_can_be_disputed(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    stripe.v1.refunds.create({"charge": payment.charge, "amount": 1500})
    with pytest.raises(ValueError, match="nothing left to dispute"):
        control.open_dispute(payment.charge, amount=501)
    control.open_dispute(payment.charge, amount=200, reason="product_not_received")
    found = stripe.v1.disputes.list({"charge": payment.charge}).data[0]
    assert (found.amount, found.reason) == (200, "product_not_received")


def test_a_disputed_charge_cannot_be_refunded(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    control.open_dispute(payment.charge)
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.refunds.create({"payment_intent": payment.intent})
    assert refused.value.code == "charge_disputed"


def test_disputes_are_listed_by_what_they_are_about(
    stripe: StripeClient, control: StripeControl
) -> None:
    first, second = paid(stripe, control), paid(stripe, control)
    control.open_dispute(first.charge)
    assert len(stripe.v1.disputes.list({"payment_intent": first.intent}).data) == 1
    assert stripe.v1.disputes.list({"payment_intent": second.intent}).data == []
