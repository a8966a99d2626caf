"""What may happen to credits and earnings: each is done to the database and told to the clerk."""

import uuid
from functools import partial
from typing import Any

from common.credits import queries as credits_queries
from common.executions import queries as executions
from common.payments import queries
from tests.factories import run_terms
from tests.payments.money_machine import STAFF, MoneyMachine, deed, said
from tests.payments.money_model import LEAST_PAYOUT, MICRO, Payout, Run

CLEARING = 7 * 86_400
LIFE = 3 * (90 + 600 + 600) + 300


class StaffRules(MoneyMachine):
    """What staff do by hand, and what the platform does by itself."""

    def by_staff(self, deed: Any, consumer: uuid.UUID, **more: Any) -> Any:
        given: dict[str, Any] = {"ref": uuid.uuid4(), "consumer_id": consumer, "now": self.now}
        return partial(deed, self.connection, **given, **STAFF, **more)

    @deed()
    def grant(self, which: int, part: int, how: int) -> None:
        amount = max(1, which * part * 100)
        consumer = self.consumers[which % 2]
        assert self.does(self.by_staff(credits_queries.grant, consumer, amount=amount), False)
        self.clerk.add(consumer, amount, "promotion")

    @deed()
    def adjust(self, which: int, part: int, how: int) -> None:
        consumer = self.consumers[which % 2]
        free = self.clerk.free(consumer)
        amount = max(1, free * part // 100) * (1 if how % 2 else -1)
        call = self.by_staff(credits_queries.adjust, consumer, amount=amount)
        if -amount > free:
            assert said(call) == "P0402"
            return
        assert self.does(call, False)
        self.clerk.add(consumer, amount, "adjustment")

    @deed()
    def freeze_or_thaw(self, which: int, part: int, how: int) -> None:
        """To thaw lifts every cause, and none of them comes back by being seen again."""
        consumer, frozen = self.consumers[which % 2], how < 4
        assert self.does(self.by_staff(credits_queries.freeze, consumer, frozen=frozen), False)
        causes = self.clerk.causes[consumer]
        if frozen:
            causes[f"staff {len(causes)}"] = True
        else:
            causes.update(dict.fromkeys(causes, False))

    @deed()
    def fold(self, which: int, part: int, how: int) -> None:
        credits_queries.fold(self.connection)
        assert credits_queries.fold(self.connection) == 0

    @deed()
    def stripe_moves_money_to_or_from_our_bank(self, which: int, part: int, how: int) -> None:
        amount = (part + 1) * (-100 if how % 2 else 100)
        line = {"id": f"txn_{uuid.uuid4()}", "type": "payout", "source": None, "netCents": amount}
        line["currency"] = "usd"
        lines = [line | {"createdAt": self.now.isoformat()}]
        keep = partial(queries.keep_transactions, self.connection, lines, self.now)
        assert self.does(keep, 0) == 1
        self.clerk.money("our bank", amount, "treasury")


class RunningRules(MoneyMachine):
    """Runs are held, captured, released and given back."""

    def a_run(self, which: int, state: str) -> tuple[uuid.UUID, Run]:
        found = [(name, run) for name, run in self.clerk.runs.items() if run.state == state]
        return found[which % len(found)]

    def any_run(self, state: str) -> bool:
        return any(run.state == state for run in self.clerk.runs.values())

    @deed(often=5)
    def start(self, which: int, part: int, how: int) -> None:
        """Up to a quarter more than there is: refused, then, to the last micro-credit."""
        consumer, developer = self.consumers[which % 2], self.developers[how // 4 % 2]
        free = self.clerk.free(consumer)
        price = max(1, free * part // 100)
        run = Run(consumer, developer, price, price * (which % 10_001) // 10_000)
        terms = run_terms(self.offer, consumer) | {"developer_id": str(developer)}
        terms |= {"price": price, "fee": run.fee}
        given: dict[str, Any] = {"key": terms["id"], "request_hash": b"r", "now": self.now}
        call = partial(executions.start, self.connection, terms, **given)
        if self.clerk.frozen(consumer) or price > free:
            assert said(call) == ("P0403" if self.clerk.frozen(consumer) else "P0402")
            return
        assert self.does(lambda: call().outcome, "replayed") == "started"
        run.due = self.seconds + LIFE
        self.clerk.runs[uuid.UUID(terms["id"])] = run

    @deed(often=5, when=lambda self: self.any_run("held"))
    def end(self, which: int, part: int, how: int) -> None:
        """Most complete; what is past its life is ended by the tick."""
        (name, run), seen = self.a_run(which, "held"), how > 1
        attempt = uuid.uuid4()
        begun = executions.begin_attempt(
            self.connection, name, attempt_id=attempt, token_hash=b"t", now=self.now
        )
        if begun is None:
            assert run.due <= self.seconds
            assert executions.tick(self.connection, name, self.now).action == "expired"
            self.clerk.release(run)
            return
        given: dict[str, Any] = {"job_id": str(name), "source": "poll", "now": self.now}
        given |= {"seen": "COMPLETED" if seen else "TIMED_OUT", "details": {"output": {}}}
        call = partial(executions.observe, self.connection, attempt, **given)
        effect = self.does(lambda: call().effect, "late")
        assert effect == ("completed" if seen else "timed_out")
        if seen:
            self.clerk.capture(run, self.seconds + CLEARING)
        else:
            self.clerk.release(run)

    @deed(when=lambda self: self.any_run("held"))
    def cancel(self, which: int, part: int, how: int) -> None:
        name, run = self.a_run(which, "held")
        call = partial(executions.cancel, self.connection, name, run.consumer, self.now)
        assert self.does(call, "cancelled") == "cancelled"
        self.clerk.release(run)

    @deed(when=lambda self: self.any_run("captured"))
    def give_a_run_back(self, which: int, part: int, how: int) -> None:
        name, run = self.a_run(which, "captured")
        given: dict[str, Any] = {"reference": uuid.uuid4(), "now": self.now, **STAFF}
        assert self.does(partial(executions.refund, self.connection, name, **given), False)
        self.clerk.reverse(run)
        again = given | {"reference": uuid.uuid4()}
        assert executions.refund(self.connection, name, **again) is False


class EarningRules(MoneyMachine):
    """Developers are paid what is due to them, and no more."""

    def a_payout(self, which: int, state: str) -> tuple[uuid.UUID, Payout]:
        found = [(name, one) for name, one in self.clerk.payouts.items() if one.state == state]
        return found[which % len(found)]

    def any_payout(self, state: str) -> bool:
        return any(one.state == state for one in self.clerk.payouts.values())

    @deed(often=3)
    def request_payout(self, which: int, part: int, how: int) -> None:
        developer, name = self.developers[which % 2], uuid.uuid4()
        due = self.clerk.due(developer, self.seconds)
        wanted = due * part // 100 // MICRO + 1 if how % 3 else None
        amount = due // MICRO if wanted is None else wanted
        asked: dict[str, Any] = {
            "payout_id": name,
            "developer_id": developer,
            "cents": wanted,
            "now": self.now,
        }
        call = partial(queries.request_payout, self.connection, key=str(name), **asked)
        if developer not in self.connected:
            assert said(call) == "P0451"
            self.connect(developer)
        elif amount < LEAST_PAYOUT or amount * MICRO > due:
            assert said(call) == ("P0452" if amount < LEAST_PAYOUT else "P0411")
        else:
            assert self.does(lambda: call().id, name) == name
            self.clerk.payouts[name] = Payout(developer, amount)

    def connect(self, developer: uuid.UUID) -> None:
        given: dict[str, Any] = {"account": f"acct_{developer}", "details": True, "enabled": True}
        given["closed"] = False
        call = partial(queries.observe_account, self.connection, developer, **given)
        self.does(partial(call, event=None, now=self.now), "account")
        self.connected.add(developer)

    @deed(often=2, when=lambda self: self.any_payout("held"))
    def stripe_pays_or_refuses(self, which: int, part: int, how: int) -> None:
        name, payout = self.a_payout(which, "held")
        queries.begin_payout(self.connection, name, self.now)
        if how % 3:
            transfer = f"tr_{name}"
            call = partial(queries.payout_sent, self.connection, name, transfer, self.now)
            assert self.does(call, "ended") == "sent"
            self.clerk.sent(payout, transfer)
            self.stripe.lines[transfer].append(-payout.cents)
            return
        given: dict[str, Any] = {"code": "refused", "message": "No.", "now": self.now}
        assert self.does(partial(queries.payout_failed, self.connection, name, **given), "ended")
        payout.state = "failed"

    @deed(when=lambda self: self.any_payout("sent"))
    def a_payout_comes_back(self, which: int, part: int, how: int) -> None:
        name, payout = self.a_payout(which, "sent")
        more = (payout.cents - payout.returned) * min(part, 100) // 100
        note = {"id": f"evt_{uuid.uuid4()}", "type": "transfer.reversed"} if how % 2 else None
        given: dict[str, Any] = {"cents": payout.returned + more, "event": note, "now": self.now}
        call = partial(queries.payout_returned, self.connection, f"tr_{name}", **given)
        answer = self.does(call, "nothing", "duplicate")
        assert answer == ("returned" if more else "nothing")
        if more:
            self.clerk.returned(payout, f"tr_{name}", more)
            self.stripe.lines[f"tr_{name}"].append(more)
