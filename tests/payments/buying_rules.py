"""What may happen to bought credits, in any order, at Stripe and with us."""

import uuid
from functools import partial
from typing import Any

from common.payments import queries
from tests.payments.money_machine import NOTHING, STAFF, MoneyMachine, deed, said
from tests.payments.money_model import MICRO, Order


class BuyingRules(MoneyMachine):
    """Orders, payments, refunds and disputes, as they are at Stripe and as we hear of them."""

    def an_order(self, which: int) -> tuple[uuid.UUID, Order]:
        return list(self.clerk.orders.items())[which % len(self.clerk.orders)]

    @deed(often=2)
    def open(self, which: int, part: int, how: int) -> None:
        """Of a few cents or some dollars; mostly paid at once."""
        cents = 1 + part if how == 0 else 5_000 + which % 200_000
        order, consumer = uuid.uuid4(), self.consumers[which % 2]
        asked: dict[str, Any] = {
            "purchase_id": order,
            "consumer_id": consumer,
            "cents": cents,
            "now": self.now,
        }
        call = partial(queries.open_purchase, self.connection, key=str(order), **asked)
        row = self.does(lambda: call().id, order)
        assert row == order
        session: dict[str, Any] = {"session": f"cs_{order}", "url": "https://pay", "now": self.now}
        self.does(partial(queries.keep_session, self.connection, order, **session), None)
        self.clerk.orders[order] = Order(consumer, cents)
        self.stripe.open(order)
        if how < 9:
            self.paid(order, part, how)

    @deed(when=lambda self: any(not f["paid"] for f in self.stripe.facts.values()))
    def pay(self, which: int, part: int, how: int) -> None:
        unpaid = [one for one, facts in self.stripe.facts.items() if not facts["paid"]]
        self.paid(unpaid[which % len(unpaid)], part, how)

    def paid(self, order: uuid.UUID, fee: int, how: int) -> None:
        """One payment in twelve has another amount than its order: it is nobody's."""
        amount = self.clerk.orders[order].cents + (how == 8)
        self.stripe.pay(order, amount, min(fee, amount), fee_known=how % 3 > 0)
        self.hear(order, -1)

    @deed(when=lambda self: self.clerk.orders)
    def end_or_learn_the_fee(self, which: int, part: int, how: int) -> None:
        order, _ = self.an_order(which)
        facts = self.stripe.facts[order]
        if facts["paid"]:
            facts["feeCents"] = facts["fee"]
        else:
            facts["sessionStatus"] = "expired"
        self.stripe.say(order)

    @deed(often=2, when=lambda self: self.stripe.said)
    def hear_of(self, which: int, part: int, how: int) -> None:
        """The present state of an order, or one of those that it had."""
        order = list(self.stripe.said)[which % len(self.stripe.said)]
        late = part % len(self.stripe.said[order]) if how % 3 else -1
        self.hear(order, late, event=how % 2 == 0)

    def hear(self, order: uuid.UUID, what: int, *, event: bool = True) -> None:
        facts = self.stripe.said[order][what]
        note = {"id": f"evt_{uuid.uuid4()}", "type": "charge.updated"} if event else None
        given: dict[str, Any] = {"seen": facts, "event": note, "now": self.now}
        self.does(partial(queries.observe, self.connection, order, **given), *NOTHING)
        self.clerk.follow(self.clerk.orders[order], facts)

    @deed(when=lambda self: any(map(self.stripe.left, self.stripe.facts)))
    def refund_by_hand_at_stripe(self, which: int, part: int, how: int) -> None:
        orders = [one for one in self.stripe.facts if self.stripe.left(one)]
        order = orders[which % len(orders)]
        self.stripe.refund(order, max(1, self.stripe.left(order) * min(part, 100) // 100))
        if how % 2:
            self.hear(order, -1)

    @deed(when=lambda self: any(f["refunds"] for f in self.stripe.facts.values()))
    def a_refund_fails_after_all(self, which: int, part: int, how: int) -> None:
        made = [
            (order, refund)
            for order, facts in self.stripe.facts.items()
            for refund in facts["refunds"]
            if refund["status"] != "failed"
        ]
        if made:
            order, refund = made[which % len(made)]
            self.stripe.fail_refund(order, refund)
            if how % 2:
                self.hear(order, -1)

    @deed(when=lambda self: any(f["paid"] for f in self.stripe.facts.values()))
    def dispute(self, which: int, part: int, how: int) -> None:
        """Also of more than there is left of the payment, and twice."""
        orders = [one for one, facts in self.stripe.facts.items() if facts["paid"]]
        order = orders[which % len(orders)]
        amount = self.stripe.facts[order]["amountCents"]
        self.stripe.dispute(order, max(1, min(amount, amount * part // 100)))
        if how % 2:
            self.hear(order, -1)

    @deed(often=2, when=lambda self: any(f["disputes"] for f in self.stripe.facts.values()))
    def a_dispute_goes_on(self, which: int, part: int, how: int) -> None:
        """The money is withdrawn, maybe of another amount; it is won, or lost, or lost and won."""
        alive = [
            (order, dispute)
            for order, facts in self.stripe.facts.items()
            for dispute in facts["disputes"]
            if dispute["status"] != "won" or not dispute["withdrawn"]
        ]
        if not alive:
            return
        (order, dispute), what = alive[which % len(alive)], how % 6
        if what < 4 and not dispute["withdrawn"]:
            amount = max(1, dispute["amountCents"] - (what == 0))
            self.stripe.withdraw(order, dispute, cents=amount, fee=part * 12)
        elif what % 2 or not dispute["withdrawn"]:
            self.stripe.judge(order, dispute, won=True, fee_back=dispute["feeCents"] * (how % 2))
        else:
            self.stripe.judge(order, dispute, won=False, fee_back=0)
        if how < 6:
            self.hear(order, -1)

    @deed(often=2, when=lambda self: self.clerk.orders)
    def refund_by_staff(self, which: int, part: int, how: int) -> None:
        """Stripe takes it, refuses it, or cannot be reached for now."""
        (name, order), refund = self.an_order(which), uuid.uuid4()
        wanted = max(1, order.rest() * part // 100) if part < 110 else None
        asked: dict[str, Any] = {
            "refund_id": refund,
            "purchase_id": name,
            "cents": wanted,
            "forced": how % 2 > 0,
        }
        call = partial(queries.request_refund, self.connection, **asked, **STAFF, now=self.now)
        expected = self.clerk.ask_refund(order, wanted, how % 2 > 0)
        if isinstance(expected, str):
            assert said(call) == expected
            return
        assert self.does(call, False) is True
        self.clerk.take(order.consumer, expected * MICRO)
        order.refunds[str(refund)] = (expected, "requested")
        if how > 2:
            self.stripe_answers(name, refund, accepted=how > 4)

    @deed(when=lambda self: any(o.refunds for o in self.clerk.orders.values()))
    def ask_stripe_again(self, which: int, part: int, how: int) -> None:
        waiting = [
            (name, uuid.UUID(refund))
            for name, order in self.clerk.orders.items()
            for refund, (_, state) in order.refunds.items()
            if state in ("requested", "given up")
        ]
        if waiting:
            self.stripe_answers(*waiting[which % len(waiting)], accepted=how > 4)

    def stripe_answers(self, name: uuid.UUID, refund: uuid.UUID, *, accepted: bool) -> None:
        order = self.clerk.orders[name]
        amount = order.refunds[str(refund)][0]
        queries.try_refund(self.connection, refund, self.now)
        known = {each["ownId"] for each in self.stripe.facts[name]["refunds"]}
        if str(refund) in known:
            self.hear(name, -1, event=False)
        elif accepted and self.stripe.left(name) >= amount:
            self.stripe.refund(name, amount, refund)
            self.hear(name, -1, event=False)
        elif order.refunds[str(refund)][1] == "requested":
            self.does(partial(queries.refuse_refund, self.connection, refund, self.now), None)
            order.refunds[str(refund)] = (amount, "given up")
            self.clerk.give(order.consumer, amount * MICRO, "issuance")
