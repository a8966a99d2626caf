"""Payouts: an account's balance on its way to the owner's bank."""

from __future__ import annotations

from typing import Any

from infra.local.stripe.errors import Refused
from infra.local.stripe.ids import new_id
from infra.local.stripe.parameters import Integer, Metadata, Text
from infra.local.stripe.routes import Call, Route, listing, merged, retrieving
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
PATH = "/v1/payouts"
TRAVEL_SECONDS = 2 * 24 * 3600
FAILURES = {
    "account_closed": "The bank account has been closed.",
    "could_not_process": "The bank could not process this payout.",
    "no_account": "The bank account details on file are probably incorrect.",
}


class Payouts:
    """Payouts of the platform and of connected accounts; they arrive after two days."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    def routes(self) -> list[Route]:
        """Create (by hand), read; `Stripe-Account` says whose."""
        fields = {
            "amount": Integer(least=1, required=True),
            "currency": Text(longest=3, required=True),
            "description": Text(),
            "metadata": Metadata(),
            "method": Text(choices=("instant", "standard")),
            "statement_descriptor": Text(longest=22),
        }
        return [
            Route("POST", PATH, self._create, fields, for_accounts=True),
            listing(self._sim, PATH, "payout", "created", "arrival_date", "status", "destination"),
            retrieving(self._sim, PATH, "payout", param="payout"),
        ]

    def resume(self) -> None:
        """Let the payouts of an earlier process arrive."""
        for owner in self._sim.store.owners("payout"):
            for payout in self._sim.store.every("payout", owner=owner):
                self._watch(payout, owner)

    def begin(self, owner: str, params: JSON, *, automatic: bool = False) -> JSON:
        """Send `amount` cents (all that is available if not given) to the bank.

        Raises:
            Refused: the account may not, or has less.
        """
        available = self._sim.books.available(owner)
        amount = params.get("amount") or available
        bank = self._bank(owner)
        if not 0 < amount <= available:
            raise Refused(
                "You have insufficient funds in your Stripe account for this payout.",
                code="balance_insufficient",
                param="amount",
            )
        payout = self._make(owner, amount, bank, params, automatic=automatic)
        self._sim.events.emit("payout.created", payout, owner=owner)
        self._watch(payout, owner)
        return payout

    def arrive(self, owner: str, name: str) -> JSON:
        """The bank has it.

        Raises:
            Refused: it has arrived or failed already.
        """
        payout = self._sim.get("payout", name, owner=owner, param="payout")
        if payout["status"] not in ("pending", "in_transit"):
            raise Refused(f"Payout {name} is {payout['status']}.")
        payout["status"] = "paid"
        if payout["automatic"]:
            payout["reconciliation_status"] = "completed"
        self._sim.events.emit("payout.paid", payout, owner=owner)
        return payout

    def fail(self, owner: str, name: str, *, code: str = "account_closed") -> JSON:
        """The bank sends it back, be it before or after it counted as paid.

        Raises:
            Refused: it has failed already.
        """
        payout = self._sim.get("payout", name, owner=owner, param="payout")
        if payout["status"] == "failed":
            raise Refused(f"Payout {name} has failed already.")
        movement = self._sim.books.post(
            "payout_failure", owner=owner, amount=payout["amount"], source=name
        )
        payout |= {
            "failure_balance_transaction": movement["id"],
            "failure_code": code,
            "failure_message": FAILURES.get(code, "The payout failed."),
            "status": "failed",
        }
        self._sim.events.emit("payout.failed", payout, owner=owner)
        return payout

    def owner_of(self, name: str) -> str:
        """The account that a payout belongs to.

        Raises:
            ValueError: no account has it.
        """
        for owner in self._sim.store.owners("payout"):
            if self._sim.store.find("payout", name, owner=owner) is not None:
                return owner
        raise ValueError(f"no payout {name}")

    def _create(self, call: Call) -> JSON:
        return self.begin(call.owner, call.params)

    def _bank(self, owner: str) -> str:
        if owner == PLATFORM:
            return "ba_1TarsifyPlatformBank"
        account = self._sim.get("account", owner)
        if not account["payouts_enabled"]:
            raise Refused(
                "Cannot create payouts: this account has payouts disabled.",
                code="payouts_not_allowed",
            )
        return str(account["external_accounts"]["data"][0]["id"])

    def _make(self, owner: str, amount: int, bank: str, params: JSON, *, automatic: bool) -> JSON:
        name = new_id("po")
        movement = self._sim.books.post(
            "payout", owner=owner, amount=-amount, source=name, description="STRIPE PAYOUT"
        )
        payout = {
            "id": name,
            "object": "payout",
            "amount": amount,
            "application_fee": None,
            "application_fee_amount": None,
            "arrival_date": self._sim.now() + TRAVEL_SECONDS,
            "automatic": automatic,
            "balance_transaction": movement["id"],
            "created": self._sim.now(),
            "currency": "usd",
            "description": params.get("description", "STRIPE PAYOUT"),
            "destination": bank,
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "livemode": False,
            "metadata": merged({}, params.get("metadata", {})),
            "method": params.get("method", "standard"),
            "original_payout": None,
            "payout_method": None,
            "reconciliation_status": "in_progress" if automatic else "not_applicable",
            "reversed_by": None,
            "source_type": "card",
            "statement_descriptor": params.get("statement_descriptor"),
            "status": "in_transit",
            "trace_id": None,
            "type": "bank_account",
        }
        return self._sim.store.add(payout, owner=owner)

    def _watch(self, payout: JSON, owner: str) -> None:
        if payout["status"] != "in_transit":
            return
        name, wait = payout["id"], payout["arrival_date"] - self._sim.clock.now()
        self._sim.clock.call_later(max(0.0, wait), lambda: self._arrive_if_due(owner, name))

    def _arrive_if_due(self, owner: str, name: str) -> None:
        payout = self._sim.store.find("payout", name, owner=owner)
        if payout is not None and payout["status"] == "in_transit":
            self.arrive(owner, name)
            self._sim.store.flush()
