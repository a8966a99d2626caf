"""The few calls with which nearly every test begins."""

from dataclasses import dataclass
from typing import Any

import stripe
from stripe import StripeClient

from infra.local.stripe.client import StripeControl

SUCCESS = "http://shop.test/thanks?session={CHECKOUT_SESSION_ID}"
CANCEL = "http://shop.test/cart"


def order(cents: int = 2000, **more: Any) -> Any:
    """Parameters of a Checkout Session over `cents`."""
    price = {
        "currency": "usd",
        "unit_amount": cents,
        "product_data": {"name": f"{cents} credits"},
    }
    return {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "success_url": SUCCESS,
        "cancel_url": CANCEL,
        **more,
    }


@dataclass(frozen=True)
class Paid:
    """Ids of a payment and its parts."""

    session: str
    intent: str
    charge: str


def paid(client: StripeClient, control: StripeControl, cents: int = 2000, **more: Any) -> Paid:
    """A Checkout Session over `cents` that the shopper has paid."""
    session = client.v1.checkout.sessions.create(order(cents, **more))
    intent = control.pay(session.id)["payment_intent"]
    charge = client.v1.payment_intents.retrieve(intent).latest_charge
    return Paid(session.id, intent, str(charge))


def seller(client: StripeClient, control: StripeControl, *, onboarded: bool = True) -> str:
    """The id of a connected account that may receive transfers."""
    account = client.v1.accounts.create(
        {"type": "express", "capabilities": {"transfers": {"requested": True}}}
    )
    if onboarded:
        control.onboard(account.id)
    return account.id


def refusal(error: stripe.StripeError) -> dict[str, Any]:
    """The error object of a refusal, as it was on the wire."""
    body = error.json_body
    assert isinstance(body, dict)
    detail: dict[str, Any] = body["error"]
    return detail
