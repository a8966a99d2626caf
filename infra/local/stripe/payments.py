"""PaymentIntents and Charges: made by a shopper at Checkout, read through the API."""

from __future__ import annotations

import copy
from typing import Any

from infra.local.stripe.errors import Refused
from infra.local.stripe.ids import new_id
from infra.local.stripe.parameters import Metadata, Text
from infra.local.stripe.payment_shapes import CHARGE, DECLINED_OUTCOME, PAYMENT_INTENT
from infra.local.stripe.routes import Call, Route, listing, merged, retrieving
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
DECLINES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
}


def fee_of(amount: int) -> int:
    """Stripe's fee in cents: 2.9 % (half a cent rounds up) and 30 cents."""
    return (amount * 29 + 500) // 1000 + 30


class Payments:
    """What is paid to the platform."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    def routes(self) -> list[Route]:
        """Reading, and the metadata."""
        intents, charges = "/v1/payment_intents", "/v1/charges"
        changes = {"metadata": Metadata(), "description": Text(may_be_empty=True)}
        return [
            listing(self._sim, intents, "payment_intent", "created", "customer"),
            retrieving(self._sim, intents, "payment_intent", param="intent"),
            Route("POST", f"{intents}/{{id}}", self._update_intent, changes),
            listing(
                self._sim,
                charges,
                "charge",
                "created",
                "payment_intent",
                "transfer_group",
                "customer",
            ),
            retrieving(self._sim, charges, "charge"),
        ]

    def open(self, amount: int, data: JSON) -> JSON:
        """A PaymentIntent of `amount` cents; `data` is a session's payment_intent_data."""
        name = new_id("pi")
        intent = copy.deepcopy(PAYMENT_INTENT) | {
            "id": name,
            "amount": amount,
            "client_secret": new_id(f"{name}_secret"),
            "created": self._sim.now(),
            **{field: value for field, value in data.items() if field in PAYMENT_INTENT},
        }
        self._sim.store.add(intent, owner=PLATFORM)
        self._sim.events.emit("payment_intent.created", intent)
        return intent

    def pay(self, intent: JSON, *, email: str | None) -> JSON:
        """The shopper's card is charged; the Charge."""
        charge = self._charge(intent, email=email)
        movement = self._sim.books.post(
            "charge",
            owner=PLATFORM,
            amount=charge["amount"],
            fee=fee_of(charge["amount"]),
            source=charge["id"],
            description=charge["description"],
            delayed=True,
        )
        charge |= {
            "amount_captured": charge["amount"],
            "balance_transaction": movement["id"],
            "captured": True,
            "paid": True,
            "status": "succeeded",
        }
        intent |= {
            "amount_received": intent["amount"],
            "last_payment_error": None,
            "latest_charge": charge["id"],
            "payment_method": charge["payment_method"],
            "status": "succeeded",
        }
        self._sim.events.emit("charge.succeeded", charge)
        self._sim.events.emit("payment_intent.succeeded", intent)
        return charge

    def decline(self, intent: JSON, *, email: str | None, reason: str) -> JSON:
        """The shopper's card is declined for `reason` (a decline code); the failed Charge."""
        message = DECLINES.get(reason, "Your card was declined.")
        code = reason if reason == "expired_card" else "card_declined"
        charge = self._charge(intent, email=email) | {
            "failure_code": code,
            "failure_message": message,
            "outcome": DECLINED_OUTCOME | {"reason": reason},
        }
        self._sim.store.add(charge, owner=PLATFORM)
        refusal = Refused(
            message, status=402, type="card_error", code=code, decline_code=reason
        ).document()["error"]
        intent |= {"last_payment_error": refusal, "latest_charge": charge["id"]}
        self._sim.events.emit("charge.failed", charge)
        self._sim.events.emit("payment_intent.payment_failed", intent)
        return charge

    def _charge(self, intent: JSON, *, email: str | None) -> JSON:
        name = new_id("ch")
        inherited = (
            "amount",
            "currency",
            "description",
            "metadata",
            "receipt_email",
            "transfer_group",
        )
        charge = copy.deepcopy(CHARGE) | {field: intent[field] for field in inherited}
        charge |= {
            "id": name,
            "created": self._sim.now(),
            "payment_intent": intent["id"],
            "payment_method": new_id("pm"),
            "receipt_url": f"{self._sim.public_url}/receipts/{name}",
        }
        charge["billing_details"]["email"] = email
        charge["metadata"] = dict(intent["metadata"])
        return self._sim.store.add(charge, owner=PLATFORM)

    def _update_intent(self, call: Call) -> JSON:
        intent = self._sim.get("payment_intent", call.ids["id"], owner=call.owner, param="intent")
        if "metadata" in call.params:
            intent["metadata"] = merged(intent["metadata"], call.params["metadata"])
        if "description" in call.params:
            intent["description"] = call.params["description"] or None
        return intent

    def charge_of(self, params: JSON, *, owner: str = PLATFORM) -> JSON:
        """The charge that `charge` or `payment_intent` names.

        Raises:
            Refused: neither is named, it does not exist, or it was not paid.
        """
        if name := params.get("charge"):
            charge = self._sim.get("charge", name, owner=owner, param="charge", status=400)
        elif name := params.get("payment_intent"):
            intent = self._sim.get(
                "payment_intent", name, owner=owner, param="payment_intent", status=400
            )
            if intent["status"] != "succeeded":
                raise Refused(
                    f"This PaymentIntent ({name}) does not have a successful charge to refund.",
                    code="payment_intent_unexpected_state",
                    param="payment_intent",
                )
            charge = self._sim.get("charge", intent["latest_charge"], owner=owner)
        else:
            raise Refused(
                "One of the following params should be provided for this request: "
                "payment_intent or charge.",
                code="parameter_missing",
            )
        if not charge["paid"]:
            raise Refused(f"Charge {charge['id']} was not successful.", param="charge")
        return charge
