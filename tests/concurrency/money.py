"""Purchases and payouts for races: each method is one step of one of the racing processes."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from common.executions import queries as executions
from common.payments import queries
from tests.payments.money_machine import STAFF
from tests.payments.played_stripe import PlayedStripe
from tests.steps import Steps


@dataclass
class Money:
    steps: Steps
    stripe: PlayedStripe = field(default_factory=PlayedStripe)

    def paid_at_stripe(self, consumer: uuid.UUID, cents: int) -> uuid.UUID:
        """An order that was paid, of which we have not heard yet."""
        order = uuid.uuid4()
        given: dict[str, Any] = {"cents": cents, "key": None, "now": self.steps.now}
        with self.steps.db.step() as connection:
            queries.open_purchase(connection, purchase_id=order, consumer_id=consumer, **given)
        self.stripe.open(order)
        self.stripe.pay(order, cents, 1, fee_known=True)
        return order

    def bought(self, consumer: uuid.UUID, cents: int) -> uuid.UUID:
        order = self.paid_at_stripe(consumer, cents)
        assert self.hear(order) == "paid,fee"
        return order

    def hear(self, order: uuid.UUID, event: str | None = None) -> str:
        """How the order stands at Stripe now."""
        note = {"id": event, "type": "charge.updated"} if event else None
        given: dict[str, Any] = {"seen": self.stripe.facts[order], "event": note}
        with self.steps.db.step() as connection:
            return queries.observe(connection, order, **given, now=self.steps.now)

    def withdraw(self, order: uuid.UUID, cents: int) -> None:
        """A dispute at Stripe, of which we have not heard yet."""
        self.stripe.dispute(order, cents)
        dispute = self.stripe.facts[order]["disputes"][-1]
        self.stripe.withdraw(order, dispute, cents=cents, fee=15)

    def refund(self, order: uuid.UUID, cents: int, refund: uuid.UUID | None = None) -> bool:
        asked: dict[str, Any] = {"purchase_id": order, "cents": cents, "forced": False}
        asked |= {"refund_id": refund or uuid.uuid4(), "now": self.steps.now}
        with self.steps.db.step() as connection:
            return queries.request_refund(connection, **asked, **STAFF)

    def give_up(self, refund: uuid.UUID) -> None:
        with self.steps.db.step() as connection:
            queries.refuse_refund(connection, refund, self.steps.now)

    def refund_run(self, run: uuid.UUID) -> bool:
        given: dict[str, Any] = {"reference": uuid.uuid4(), "now": self.steps.now}
        with self.steps.db.step() as connection:
            return executions.refund(connection, run, **given, **STAFF)

    def connect(self, developer: uuid.UUID) -> None:
        given: dict[str, Any] = {"account": f"acct_{developer}", "details": True, "enabled": True}
        given["closed"] = False
        with self.steps.db.step() as connection:
            queries.observe_account(connection, developer, **given, event=None, now=self.steps.now)

    def request(self, developer: uuid.UUID, cents: int | None = None, key: str = "") -> uuid.UUID:
        """A payout, under a key of its own unless one is given."""
        asked: dict[str, Any] = {"payout_id": uuid.uuid4(), "cents": cents, "now": self.steps.now}
        asked |= {"developer_id": developer, "key": key or str(uuid.uuid4())}
        with self.steps.db.step() as connection:
            payout: uuid.UUID = queries.request_payout(connection, **asked).id
        return payout

    def begin(self, payout: uuid.UUID) -> bool:
        with self.steps.db.step() as connection:
            return queries.begin_payout(connection, payout, self.steps.now) is not None

    def sent(self, payout: uuid.UUID) -> str:
        with self.steps.db.step() as connection:
            return queries.payout_sent(connection, payout, f"tr_{payout}", self.steps.now)

    def failed(self, payout: uuid.UUID) -> str:
        given: dict[str, Any] = {"code": "refused", "message": "No.", "now": self.steps.now}
        with self.steps.db.step() as connection:
            return queries.payout_failed(connection, payout, **given)

    def returned(self, payout: uuid.UUID, cents: int) -> str:
        given: dict[str, Any] = {"cents": cents, "event": None, "now": self.steps.now}
        with self.steps.db.step() as connection:
            return queries.payout_returned(connection, f"tr_{payout}", **given)

    def keep(self, lines: list[dict[str, Any]]) -> None:
        """Lines of Stripe's own books."""
        with self.steps.db.step() as connection:
            queries.keep_transactions(connection, lines, self.steps.now)

    def standing(self, kind: str, owner: uuid.UUID) -> tuple[float, float]:
        """Credits (posted, held) on an account."""
        query = text(
            "SELECT coalesce(sum(posted), 0), coalesce(sum(pending), 0) FROM ledger.balance"
            " WHERE kind = :kind AND owner_id = :owner"
        )
        with self.steps.db.step() as connection:
            row = connection.execute(query, {"kind": kind, "owner": owner}).one()
        return float(row[0]) / 1_000_000, float(row[1]) / 1_000_000
