"""Refunds: never more than is left of a charge."""

from __future__ import annotations

from typing import Any

from infra.local.stripe.errors import Refused
from infra.local.stripe.ids import new_id
from infra.local.stripe.parameters import Integer, Metadata, Text
from infra.local.stripe.payments import Payments
from infra.local.stripe.routes import Call, Route, listing, merged, retrieving
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
PATH = "/v1/refunds"
REASONS = ("duplicate", "fraudulent", "requested_by_customer")


class Refunds:
    """Money that goes back to shoppers; Stripe keeps its fee."""

    def __init__(self, simulator: Simulator, payments: Payments) -> None:
        self._sim = simulator
        self._payments = payments

    def routes(self) -> list[Route]:
        """Create, update, read."""
        fields = {
            "amount": Integer(least=1),
            "charge": Text(),
            "payment_intent": Text(),
            "metadata": Metadata(),
            "reason": Text(choices=REASONS),
        }
        return [
            Route("POST", PATH, self._create, fields),
            Route("POST", f"{PATH}/{{id}}", self._update, {"metadata": Metadata()}),
            listing(self._sim, PATH, "refund", "charge", "payment_intent", "created"),
            retrieving(self._sim, PATH, "refund"),
        ]

    def refund(self, params: JSON) -> JSON:
        """Refund a charge (or a PaymentIntent's), wholly unless `amount` says less.

        Raises:
            Refused: more than is left, or the charge is under dispute.
        """
        charge = self._payments.charge_of(params)
        left = charge["amount"] - charge["amount_refunded"]
        amount = params.get("amount", left)
        _check(charge, amount, left)
        refund = self._make(charge, amount, params)
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._sim.events.emit("refund.created", refund)
        self._sim.events.emit(
            "charge.refunded",
            charge,
            previous={"amount_refunded": charge["amount_refunded"] - amount},
        )
        return refund

    def fail(self, name: str) -> JSON:
        """The shopper's bank sends the money back: the refund has failed after all.

        Raises:
            Refused: it failed already, or does not exist.
        """
        refund = self._sim.get("refund", name)
        if refund["status"] != "succeeded":
            raise Refused(f"Refund {name} is {refund['status']}.")
        charge = self._sim.get("charge", refund["charge"])
        movement = self._sim.books.post(
            "refund_failure",
            owner=PLATFORM,
            amount=refund["amount"],
            source=name,
            description="REFUND FAILURE",
        )
        refund |= {
            "status": "failed",
            "failure_reason": "unknown",
            "failure_balance_transaction": movement["id"],
        }
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        for event_type in ("refund.updated", "refund.failed"):
            self._sim.events.emit(event_type, refund, previous={"status": "succeeded"})
        return refund

    def of_charge(self, charge: JSON) -> list[JSON]:
        """The charge's refunds, oldest first."""
        refunds = self._sim.store.every("refund", owner=PLATFORM)
        return [refund for refund in refunds if refund["charge"] == charge["id"]]

    def _create(self, call: Call) -> JSON:
        return self.refund(call.params)

    def _update(self, call: Call) -> JSON:
        refund = self._sim.get("refund", call.ids["id"], owner=call.owner)
        former = refund["metadata"]
        refund["metadata"] = merged(former, call.params.get("metadata", {}))
        self._sim.events.emit("refund.updated", refund, previous={"metadata": former})
        return refund

    def _make(self, charge: JSON, amount: int, params: JSON) -> JSON:
        name = new_id("re")
        movement = self._sim.books.post(
            "refund",
            owner=PLATFORM,
            amount=-amount,
            source=name,
            description="REFUND FOR CHARGE",
        )
        refund = {
            "id": name,
            "object": "refund",
            "amount": amount,
            "balance_transaction": movement["id"],
            "charge": charge["id"],
            "created": self._sim.now(),
            "currency": charge["currency"],
            "customer": None,
            "customer_account": None,
            "destination_details": {"card": {"type": "refund"}, "type": "card"},
            "metadata": merged({}, params.get("metadata", {})),
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": params.get("reason"),
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        }
        return self._sim.store.add(refund, owner=PLATFORM)


def _check(charge: JSON, amount: int, left: int) -> None:
    if charge["disputed"]:
        raise Refused(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    if left == 0:
        raise Refused(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if amount > left:
        what = "unrefunded amount on charge" if charge["amount_refunded"] else "charge amount"
        raise Refused(
            f"Refund amount (${amount / 100:,.2f}) is greater than {what} (${left / 100:,.2f})",
            param="amount",
        )
