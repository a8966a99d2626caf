"""A clerk who keeps the money of this platform on paper: what the books must say, without SQL.

Credits are micro-credits, real money is cents. `booked` is what was written down of each object
at Stripe; `books` are the platform's own accounts, each with the sign that the ledger gives it.
"""

import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

MICRO = 1_000_000  # of a credit, which costs a cent
LEAST_PAYOUT = 5_000
Id = uuid.UUID


@dataclass
class Order:
    """A purchase as the clerk has it: refunds and disputes by name, each (cents, state)."""

    consumer: Id
    cents: int
    paid: bool = False
    fee: int | None = None
    refunds: dict[str, tuple[int, str]] = field(default_factory=dict)
    disputes: dict[str, tuple[int, str]] = field(default_factory=dict)

    def rest(self) -> int:
        """What may still be refunded."""
        gone = [
            cents for cents, state in self.refunds.values() if state not in ("failed", "given up")
        ]
        gone += [cents for cents, state in self.disputes.values() if state not in ("won", "closed")]
        return self.cents - sum(gone)


@dataclass
class Run:
    """Who pays whom how much for it; `due` is when the developer may have it."""

    consumer: Id
    developer: Id
    price: int
    fee: int
    state: str = "held"
    due: float = 0.0


@dataclass
class Payout:
    developer: Id
    cents: int
    state: str = "held"
    returned: int = 0


class Clerk:
    """The rules of the money, one method for each thing that happens."""

    def __init__(self) -> None:
        self.wallet, self.owed, self.payable = Counter[Id](), Counter[Id](), Counter[Id]()
        self.books, self.booked = Counter[str](), Counter[str]()
        self.causes: defaultdict[Id, dict[str, bool]] = defaultdict(dict)
        self.orders: dict[Id, Order] = {}
        self.runs: dict[Id, Run] = {}
        self.payouts: dict[Id, Payout] = {}

    def held(self, consumer: Id) -> int:
        mine = [run for run in self.runs.values() if run.consumer == consumer]
        return sum(run.price for run in mine if run.state == "held")

    def free(self, consumer: Id) -> int:
        return self.wallet[consumer] - self.held(consumer)

    def frozen(self, consumer: Id) -> bool:
        return any(self.causes[consumer].values())

    def uncleared(self, developer: Id, now: float) -> int:
        mine = [run for run in self.runs.values() if run.developer == developer]
        return sum(r.price - r.fee for r in mine if r.state == "captured" and r.due > now)

    def on_the_way(self, developer: Id) -> int:
        mine = [one for one in self.payouts.values() if one.developer == developer]
        return sum(one.cents * MICRO for one in mine if one.state == "held")

    def due(self, developer: Id, now: float) -> int:
        gone = self.on_the_way(developer) + self.uncleared(developer, now)
        return max(0, self.payable[developer] - gone)

    def give(self, consumer: Id, amount: int, out_of: str) -> None:
        """A debt is settled first."""
        settled = min(self.owed[consumer], amount)
        self.owed[consumer] -= settled
        self.wallet[consumer] += amount - settled
        self.books[out_of] -= amount

    def take(self, consumer: Id, amount: int) -> None:
        """What is not there any more, or is held, is owed."""
        taken = min(amount, self.free(consumer))
        self.wallet[consumer] -= taken
        self.owed[consumer] += amount - taken
        self.books["issuance"] += amount

    def money(self, source: str, cents: int, against: str = "deferred_revenue") -> None:
        """Real money comes to Stripe, or leaves it."""
        self.booked[source] += cents
        self.books["stripe_clearing"] -= cents
        self.books[against] += cents

    def add(self, consumer: Id, amount: int, out_of: str) -> None:
        """By hand, up or down."""
        self.wallet[consumer] += amount
        self.books[out_of] -= amount
        self.settle(consumer)

    def settle(self, consumer: Id) -> None:
        """Nobody has free credits and a debt at once."""
        settled = min(self.owed[consumer], self.free(consumer))
        self.owed[consumer] -= settled
        self.wallet[consumer] -= settled

    def release(self, run: Run) -> None:
        run.state = "released"
        self.settle(run.consumer)

    def capture(self, run: Run, due: float) -> None:
        run.state, run.due = "captured", due
        self.wallet[run.consumer] -= run.price
        self.payable[run.developer] += run.price - run.fee
        self.books["platform_fee"] += run.fee

    def reverse(self, run: Run) -> None:
        run.state = "reversed"
        self.payable[run.developer] -= run.price - run.fee
        self.give(run.consumer, run.price - run.fee, "developers")
        self.give(run.consumer, run.fee, "platform_fee")

    def sent(self, payout: Payout, transfer: str) -> None:
        payout.state = "sent"
        self.payable[payout.developer] -= payout.cents * MICRO
        self.books["redemption"] += payout.cents * MICRO
        self.money(transfer, -payout.cents)

    def returned(self, payout: Payout, transfer: str, more: int) -> None:
        payout.returned += more
        self.payable[payout.developer] += more * MICRO
        self.books["redemption"] -= more * MICRO
        self.money(transfer, more)

    def ask_refund(self, order: Order, cents: int | None, forced: bool) -> str | int:
        """How many cents go back, or why none do."""
        wanted, rest = cents if cents is not None else order.rest(), order.rest()
        if not order.paid:
            return "P0410"
        if rest <= 0 or wanted > rest:
            return "P0411"
        return wanted if forced or self.free(order.consumer) >= wanted * MICRO else "P0402"

    def follow(self, order: Order, facts: dict[str, Any]) -> None:
        """Whatever Stripe says of an order."""
        if facts["paid"] and facts["amountCents"] != order.cents:
            return  # not this order's money
        if facts["paid"] and not order.paid:
            order.paid = True
            self.give(order.consumer, order.cents * MICRO, "issuance")
            self.money(facts["chargeId"], order.cents)
        if not order.paid:
            return
        if order.fee is None and facts["feeCents"] is not None:
            order.fee = facts["feeCents"]
            self.money(facts["chargeId"], -facts["feeCents"], "stripe_fee")
        for refund in facts["refunds"]:
            self.follow_refund(order, refund)
        for dispute in facts["disputes"]:
            self.follow_dispute(order, dispute)

    def follow_refund(self, order: Order, seen: dict[str, Any]) -> None:
        name, cents, bad = seen["ownId"] or seen["id"], seen["amountCents"], seen["status"]
        _, state = order.refunds.get(name, (0, "unknown"))
        if bad != "failed" and state in ("unknown", "requested", "given up"):
            if state != "requested":  # made by hand at Stripe, or there after all
                self.take(order.consumer, cents * MICRO)
            self.money(seen["id"], -cents)
            order.refunds[name] = (cents, "succeeded")
        elif bad == "failed" and state != "failed":
            if state == "succeeded":
                self.money(seen["id"], cents)
            if state in ("succeeded", "requested"):
                self.give(order.consumer, cents * MICRO, "issuance")
            order.refunds[name] = (cents, "failed")

    def follow_dispute(self, order: Order, seen: dict[str, Any]) -> None:
        name, verdict, causes = seen["id"], seen["status"], self.causes[order.consumer]
        cents, state = order.disputes.get(name, (seen["amountCents"], "open"))
        if state == "closed" and seen["withdrawn"]:  # an inquiry became a dispute
            state = "open"
            causes.pop(name, None)
        if state == "open" and verdict != "won":
            causes.setdefault(name, True)
        if state == "open" and seen["withdrawn"]:
            cents, state = seen["amountCents"], "withdrawn"
            self.take(order.consumer, cents * MICRO)
            self.money(name, -cents)
            self.money(name, -seen["feeCents"], "dispute_fee")
        if state in ("withdrawn", "lost") and seen["reinstated"]:
            self.give(order.consumer, cents * MICRO, "issuance")
            self.money(name, cents)
            self.money(name, seen["feeReturnedCents"], "dispute_fee")
            state = "won"
        elif state == "open" and verdict == "won":
            state = "closed"
        elif state == "withdrawn" and verdict == "lost":
            state = "lost"
        if state in ("won", "closed") and name in causes:
            causes[name] = False
        order.disputes[name] = (cents, state)
