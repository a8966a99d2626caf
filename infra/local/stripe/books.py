"""Balances: every movement is a balance transaction, and a balance is their sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from infra.local.runpod.clock import Clock
from infra.local.stripe.ids import new_id
from infra.local.stripe.store import Store

JSON = dict[str, Any]
KIND = "balance_transaction"
CATEGORIES: Mapping[str, str] = {
    "adjustment": "dispute",
    "payment": "charge",
    "payment_refund": "refund",
    "payout_failure": "payout_reversal",
    "refund_failure": "refund_failure",
    "transfer_refund": "transfer_reversal",
}
"""Reporting categories that are not the type's own name."""


class Books:
    """The money of all accounts, in cents. `delay_seconds` is how long takings stay pending."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self._available: Counter[str] = Counter()
        self._pending: Counter[str] = Counter()
        self.delay_seconds = 0.0

    def resume(self) -> None:
        """Add up what the store holds, and wait for what is still pending."""
        self._available.clear()
        self._pending.clear()
        for owner in self._store.owners(KIND):
            for movement in self._store.every(KIND, owner=owner):
                self._count(movement, owner)

    def available(self, owner: str) -> int:
        """Cents that may be spent now."""
        return self._available[owner]

    def pending(self, owner: str) -> int:
        """Cents that are on their way."""
        return self._pending[owner]

    def post(
        self,
        movement_type: str,
        *,
        owner: str,
        amount: int,
        source: str,
        description: str | None = None,
        fee: int = 0,
        fee_description: str = "Stripe processing fees",
        category: str | None = None,
        delayed: bool = False,
    ) -> JSON:
        """Move `amount` cents into the account (out of it when negative), less the `fee`."""
        now = int(self._clock.now())
        fees = [_fee(fee, fee_description)] if fee else []
        movement = {
            "id": new_id("txn"),
            "object": KIND,
            "amount": amount,
            "available_on": now + int(self.delay_seconds if delayed else 0),
            "balance_type": "payments",
            "created": now,
            "currency": "usd",
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": fees,
            "net": amount - fee,
            "reporting_category": category or CATEGORIES.get(movement_type, movement_type),
            "source": source,
            "status": "pending" if delayed and self.delay_seconds > 0 else "available",
            "type": movement_type,
        }
        self._store.add(movement, owner=owner)
        self._count(movement, owner)
        return movement

    def balance(self, owner: str) -> JSON:
        """The account's balance as the API shows it."""
        return {
            "object": "balance",
            "available": [_sum(self._available[owner])],
            "connect_reserved": [{"amount": 0, "currency": "usd"}],
            "livemode": False,
            "pending": [_sum(self._pending[owner])],
        }

    def _count(self, movement: JSON, owner: str) -> None:
        if movement["status"] == "available":
            self._available[owner] += movement["net"]
            return
        self._pending[owner] += movement["net"]
        wait = movement["available_on"] - self._clock.now()
        name = movement["id"]
        self._clock.call_later(max(0.0, wait), lambda: self._mature(name, owner))

    def _mature(self, name: str, owner: str) -> None:
        movement = self._store.find(KIND, name, owner=owner)
        if movement is None or movement["status"] == "available":
            return
        movement["status"] = "available"
        self._pending[owner] -= movement["net"]
        self._available[owner] += movement["net"]
        self._store.flush()


def _fee(amount: int, description: str) -> JSON:
    return {
        "amount": amount,
        "application": None,
        "currency": "usd",
        "description": description,
        "type": "stripe_fee",
    }


def _sum(amount: int) -> JSON:
    return {"amount": amount, "currency": "usd", "source_types": {"card": amount}}
