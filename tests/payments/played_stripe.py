"""Stripe as far as our books can see it: the facts of each order, and lines of its own books."""

import copy
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

Facts = dict[str, Any]
# So long ago by the database's clock that a difference counts at once.
LONG_AGO = (datetime.now(UTC) - timedelta(days=10)).isoformat()


class PlayedStripe:
    """Money moves here first; our books may hear of it late, twice, or in another order."""

    def __init__(self) -> None:
        self.facts: dict[uuid.UUID, Facts] = {}
        self.said: defaultdict[uuid.UUID, list[Facts]] = defaultdict(list)
        self.lines: defaultdict[str, list[int]] = defaultdict(list)
        self.handed_over: Counter[str] = Counter()
        self.payments: set[str] = set()

    def open(self, order: uuid.UUID) -> Facts:
        facts: Facts = {
            "sessionId": f"cs_{order}",
            "sessionStatus": "open",
            "paid": False,
            "currency": "usd",
            "paymentIntentId": f"pi_{order}",
            "chargeId": f"ch_{order}",
            "feeCents": None,
            "refunds": [],
            "disputes": [],
        }
        self.facts[order] = facts
        return facts

    def say(self, order: uuid.UUID) -> None:
        """How the order stands now; it may be heard at any time."""
        self.said[order].append(copy.deepcopy(self.facts[order]))

    def pay(self, order: uuid.UUID, cents: int, fee: int, *, fee_known: bool) -> None:
        facts = self.facts[order]
        facts |= {"paid": True, "sessionStatus": "complete", "amountCents": cents, "fee": fee}
        facts["feeCents"] = fee if fee_known else None
        self.lines[facts["chargeId"]].append(cents - fee)
        self.say(order)

    def left(self, order: uuid.UUID) -> int:
        """What Stripe would still refund; nothing of what the bank has taken."""
        facts = self.facts[order]
        if not facts["paid"] or any(d["withdrawn"] for d in facts["disputes"]):
            return 0
        gone = [r["amountCents"] for r in facts["refunds"] if r["status"] != "failed"]
        return int(facts["amountCents"] - sum(gone))

    def refund(self, order: uuid.UUID, cents: int, own: uuid.UUID | None = None) -> None:
        name = f"re_{uuid.uuid4()}"
        refund = {"id": name, "ownId": str(own) if own else None}
        self.facts[order]["refunds"].append(refund | {"amountCents": cents, "status": "succeeded"})
        self.lines[name].append(-cents)
        self.say(order)

    def fail_refund(self, order: uuid.UUID, refund: Facts) -> None:
        refund["status"] = "failed"
        self.lines[refund["id"]].append(refund["amountCents"])
        self.say(order)

    def dispute(self, order: uuid.UUID, cents: int) -> None:
        dispute = {"id": f"dp_{uuid.uuid4()}", "amountCents": cents, "status": "needs_response"}
        dispute |= {"reason": "fraudulent", "withdrawn": False, "reinstated": False}
        self.facts[order]["disputes"].append(dispute | {"feeCents": 0, "feeReturnedCents": 0})
        self.say(order)

    def withdraw(self, order: uuid.UUID, dispute: Facts, *, cents: int, fee: int) -> None:
        """Also of an inquiry that was closed before."""
        dispute |= {"status": "needs_response", "withdrawn": True}
        dispute |= {"amountCents": cents, "feeCents": fee}
        self.lines[dispute["id"]].append(-cents - fee)
        self.say(order)

    def judge(self, order: uuid.UUID, dispute: Facts, *, won: bool, fee_back: int) -> None:
        """Lost ones may be won in the end."""
        dispute["status"] = "won" if won else "lost"
        if won and dispute["withdrawn"]:
            dispute |= {"reinstated": True, "feeReturnedCents": fee_back}
            self.lines[dispute["id"]].append(dispute["amountCents"] + fee_back)
        self.say(order)

    def lines_for(self, booked: Counter[str]) -> list[Facts]:
        """New lines of every object, no more than our books have heard of."""
        found: list[Facts] = []
        for source, amounts in self.lines.items():
            first = self.handed_over[source]
            heard = range(first, len(amounts) + 1)
            known = (n for n in heard if sum(amounts[:n]) == booked[source])
            for number in range(first, next(known, first)):
                line = {"id": f"txn_{source}_{number}", "type": "adjustment", "source": source}
                line["currency"] = "usd"
                found.append(line | {"netCents": amounts[number], "createdAt": LONG_AGO})
                self.handed_over[source] = number + 1
        return found

    def payments_for(self, paid: set[uuid.UUID]) -> list[Facts]:
        """New payments of orders that our books have as paid."""
        found = []
        for order in paid - {uuid.UUID(one[3:]) for one in self.payments}:
            facts = self.facts[order]
            self.payments.add(facts["paymentIntentId"])
            payment = {"id": facts["paymentIntentId"], "amountCents": facts["amountCents"]}
            found.append(payment | {"createdAt": LONG_AGO})
        return found
