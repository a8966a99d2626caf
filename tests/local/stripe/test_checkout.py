"""Checkout Sessions from opening to payment, decline or expiry."""

import pytest
import stripe as sdk
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from tests.local.stripe.shopping import order, paid


def test_a_session_opens_with_what_it_was_given(
    stripe: StripeClient, control: StripeControl
) -> None:
    session = stripe.v1.checkout.sessions.create(
        order(
            2000,
            client_reference_id="order-7",
            customer_email="ada@example.com",
            metadata={"order": "7"},
        )
    )
    assert session.id.startswith("cs_test_")
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_total, session.currency) == (2000, "usd")
    assert (session.client_reference_id, session.customer_email) == ("order-7", "ada@example.com")
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"order": "7"}
    assert session.payment_intent is None
    assert str(session.url).startswith(control.url)
    assert session.expires_at == int(control.now()) + 24 * 3600


def test_lines_are_added_up(stripe: StripeClient) -> None:
    def line(cents: int, quantity: int) -> dict[str, object]:
        price = {"currency": "usd", "unit_amount": cents, "product_data": {"name": "credits"}}
        return {"price_data": price, "quantity": quantity}

    session = stripe.v1.checkout.sessions.create(order(line_items=[line(500, 3), line(250, 2)]))
    assert session.amount_total == 2000
    lines = stripe.v1.checkout.sessions.line_items.list(session.id)
    assert [each.amount_total for each in lines.data] == [1500, 500]


def test_a_payment_makes_intent_charge_and_balance_transaction(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(
        stripe,
        control,
        2000,
        payment_intent_data={"metadata": {"order": "7"}, "transfer_group": "order-7"},
    )
    session = stripe.v1.checkout.sessions.retrieve(payment.session)
    intent = stripe.v1.payment_intents.retrieve(payment.intent)
    charge = stripe.v1.charges.retrieve(payment.charge)
    movement = stripe.v1.balance_transactions.retrieve(str(charge.balance_transaction))
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    assert (intent.status, intent.amount_received) == ("succeeded", 2000)
    assert intent.metadata.to_dict() == charge.metadata.to_dict() == {"order": "7"}
    assert charge.transfer_group == "order-7"
    assert (charge.paid, charge.captured, charge.amount_captured) == (True, True, 2000)
    assert (movement.type, movement.amount, movement.fee, movement.net) == (
        "charge",
        2000,
        88,  # 2.9 % are 58, and 30
        1912,
    )
    assert movement.source == charge.id


def test_the_sessions_metadata_stay_on_the_session(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control, metadata={"order": "7"})
    assert stripe.v1.payment_intents.retrieve(payment.intent).metadata.to_dict() == {}


def test_the_payer_is_known_afterwards(stripe: StripeClient, control: StripeControl) -> None:
    session = stripe.v1.checkout.sessions.create(order())
    control.pay(session.id, email="grace@example.com")
    details = stripe.v1.checkout.sessions.retrieve(session.id).customer_details
    assert details is not None
    assert details.email == "grace@example.com"
    mine = stripe.v1.checkout.sessions.list({"customer_details": {"email": "grace@example.com"}})
    assert [each.id for each in mine.data] == [session.id]


def test_paying_twice_charges_once(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    assert control.pay(payment.session)["payment_intent"] == payment.intent
    assert len(stripe.v1.charges.list().data) == 1


def test_a_session_is_found_by_its_payment_intent(
    stripe: StripeClient, control: StripeControl
) -> None:
    first, _ = paid(stripe, control), paid(stripe, control)
    found = stripe.v1.checkout.sessions.list({"payment_intent": first.intent})
    assert [each.id for each in found.data] == [first.session]


def test_sessions_are_listed_by_status(stripe: StripeClient, control: StripeControl) -> None:
    paid(stripe, control)
    still_open = stripe.v1.checkout.sessions.create(order())
    found = stripe.v1.checkout.sessions.list({"status": "open"})
    assert [each.id for each in found.data] == [still_open.id]


def test_after_a_declined_card_the_shopper_may_try_again(
    stripe: StripeClient, control: StripeControl
) -> None:
    session = stripe.v1.checkout.sessions.create(order())
    failed = control.decline(session.id, reason="insufficient_funds")
    after = stripe.v1.checkout.sessions.retrieve(session.id)
    intent = stripe.v1.payment_intents.retrieve(str(after.payment_intent))
    assert (failed["status"], failed["paid"]) == ("failed", False)
    assert failed["failure_code"] == "card_declined"
    assert (after.status, intent.status) == ("open", "requires_payment_method")
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == "insufficient_funds"
    assert control.pay(session.id)["payment_intent"] == intent.id
    assert len(stripe.v1.charges.list({"payment_intent": intent.id}).data) == 2
    assert stripe.v1.balance.retrieve().available[0].amount == 1912


def test_the_shop_can_expire_a_session(stripe: StripeClient, control: StripeControl) -> None:
    session = stripe.v1.checkout.sessions.create(order())
    expired = stripe.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    with pytest.raises(ValueError, match="expired"):
        control.pay(session.id)


def test_a_paid_session_cannot_be_expired(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    with pytest.raises(sdk.InvalidRequestError, match="status of complete"):
        stripe.v1.checkout.sessions.expire(payment.session)


def test_a_session_expires_when_its_time_is_over(
    stripe: StripeClient, control: StripeControl
) -> None:
    now = int(control.now())
    session = stripe.v1.checkout.sessions.create(order(expires_at=now + 1800))
    control.advance(1799)
    assert stripe.v1.checkout.sessions.retrieve(session.id).status == "open"
    control.advance(2)
    assert stripe.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert control.events()[-1]["type"] == "checkout.session.expired"


@pytest.mark.parametrize("seconds", [1799, 24 * 3600 + 60])
def test_a_session_lives_from_half_an_hour_to_a_day(
    stripe: StripeClient, control: StripeControl, seconds: int
) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.checkout.sessions.create(order(expires_at=int(control.now()) + seconds))
    assert refused.value.param == "expires_at"


def test_a_total_under_50_cents_is_refused(stripe: StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.checkout.sessions.create(order(49))
    assert refused.value.code == "amount_too_small"


@pytest.mark.parametrize("mode", ["subscription", "setup"])
def test_modes_that_the_stand_in_has_not_are_refused(stripe: StripeClient, mode: str) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.checkout.sessions.create(order() | {"mode": mode})
    assert refused.value.param == "mode"
