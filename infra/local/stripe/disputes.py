"""Disputes: the bank takes the money at once and gives it back if the dispute is won."""

from __future__ import annotations

import copy
from typing import Any

from infra.local.stripe.errors import Refused
from infra.local.stripe.ids import new_id
from infra.local.stripe.payments import Payments
from infra.local.stripe.routes import Route, listing, retrieving
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
PATH = "/v1/disputes"
FEE_CENTS = 1500
EVIDENCE_SECONDS = 9 * 24 * 3600

EVIDENCE: JSON = dict.fromkeys(
    (
        "access_activity_log",
        "billing_address",
        "cancellation_policy",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "customer_communication",
        "customer_email_address",
        "customer_name",
        "customer_purchase_ip",
        "customer_signature",
        "duplicate_charge_documentation",
        "duplicate_charge_explanation",
        "duplicate_charge_id",
        "product_description",
        "receipt",
        "refund_policy",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
        "service_documentation",
        "shipping_address",
        "shipping_carrier",
        "shipping_date",
        "shipping_documentation",
        "shipping_tracking_number",
        "uncategorized_file",
        "uncategorized_text",
    )
) | {"enhanced_evidence": {}}


class Disputes:
    """What shoppers' banks do; nothing of it comes from the API's users."""

    def __init__(self, simulator: Simulator, payments: Payments) -> None:
        self._sim = simulator
        self._payments = payments

    def routes(self) -> list[Route]:
        """Reading only."""
        return [
            listing(self._sim, PATH, "dispute", "charge", "payment_intent", "created"),
            retrieving(self._sim, PATH, "dispute", param="dispute"),
        ]

    def open(self, params: JSON) -> JSON:
        """A shopper disputes a charge: `amount` cents and the fee are withdrawn.

        Raises:
            Refused: the charge is disputed already, or nothing is left of it.
        """
        charge = self._payments.charge_of(params)
        left = charge["amount"] - charge["amount_refunded"]
        amount = params.get("amount") or left
        if charge["disputed"] or not 0 < amount <= left:
            raise Refused(f"Charge {charge['id']} has nothing left to dispute.")
        dispute = self._make(charge, amount, params.get("reason") or "fraudulent")
        charge["disputed"] = True
        self._move(
            dispute,
            -amount,
            fee=FEE_CENTS,
            category="dispute",
            description=f"Chargeback withdrawal for {charge['id']}",
        )
        self._sim.events.emit("charge.dispute.created", dispute)
        self._sim.events.emit("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def close(self, name: str, *, won: bool, return_fee: bool = False) -> JSON:
        """The bank decides. A won dispute gives the amount back.

        The fee stays with Stripe (since 17 June 2025) unless `return_fee` asks for the old way.

        Raises:
            Refused: it is decided already, or does not exist.
        """
        dispute = self._sim.get("dispute", name, param="dispute")
        if dispute["status"] not in ("needs_response", "under_review"):
            raise Refused(f"Dispute {name} is {dispute['status']}.")
        former = dispute["status"]
        dispute |= {"status": "won" if won else "lost"}
        if won:
            self._move(
                dispute,
                dispute["amount"],
                fee=-FEE_CENTS if return_fee else 0,
                category="dispute_reversal",
                description=f"Chargeback reversal for {dispute['charge']}",
            )
        self._sim.events.emit("charge.dispute.closed", dispute, previous={"status": former})
        if won:
            self._sim.events.emit("charge.dispute.funds_reinstated", dispute)
        return dispute

    def _move(
        self, dispute: JSON, amount: int, *, fee: int, category: str, description: str
    ) -> None:
        movement = self._sim.books.post(
            "adjustment",
            owner=PLATFORM,
            amount=amount,
            fee=fee,
            fee_description="Dispute fee",
            source=dispute["id"],
            description=description,
            category=category,
        )
        dispute["balance_transactions"].append(movement)

    def _make(self, charge: JSON, amount: int, reason: str) -> JSON:
        dispute = {
            "id": new_id("du"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": self._sim.now(),
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": copy.deepcopy(EVIDENCE),
            "evidence_details": {
                "due_by": self._sim.now() + EVIDENCE_SECONDS,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {
                "card": {
                    "brand": "visa",
                    "case_type": "chargeback",
                    "network": "visa",
                    "network_reason_code": "10.4",
                },
                "type": "card",
            },
            "reason": reason,
            "status": "needs_response",
        }
        return self._sim.store.add(dispute, owner=PLATFORM)
