"""The ledger against a dictionary: any order of any calls, each possibly repeated.

The model is what a careful clerk would write down; the database must say the same after every
step, and its own invariants must hold.
"""

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from common.db import sqlstate
from tests.credits.ledger import Ledger

AMOUNTS = st.one_of(st.integers(1, 12), st.integers(1, 10**15))
DEVELOPERS = [uuid.uuid4() for _ in range(3)]
Call = Callable[[], object]


@dataclass
class Clerk:
    """What the books of this example should say, in micro-credits."""

    wallets: dict[uuid.UUID, int] = field(default_factory=dict)
    holds: dict[uuid.UUID, tuple[uuid.UUID, int]] = field(default_factory=dict)
    resolved: dict[uuid.UUID, str] = field(default_factory=dict)
    earned: dict[uuid.UUID, int] = field(default_factory=dict)
    fees: int = 0
    granted: int = 0

    def pending(self, consumer: uuid.UUID) -> int:
        return sum(
            amount
            for hold, (holder, amount) in self.holds.items()
            if holder == consumer and hold not in self.resolved
        )

    def available(self, consumer: uuid.UUID) -> int:
        return self.wallets[consumer] - self.pending(consumer)


def machine_of(ledger: Ledger) -> type[RuleBasedStateMachine]:
    """A machine whose examples share one database; each has consumers of its own."""

    class LedgerMachine(RuleBasedStateMachine):
        consumers = Bundle("consumers")
        holds = Bundle("holds")
        past = Bundle("past")  # calls that changed something, with what a repeat must answer

        def __init__(self) -> None:
            super().__init__()
            self.clerk = Clerk()
            self.before = self.shared()

        def shared(self) -> dict[str, int]:
            """Balances that other examples move as well."""
            developers = {str(one): ledger.balance("developer_payable", one) for one in DEVELOPERS}
            kinds = {kind: ledger.balance(kind) for kind in ("platform_fee", "promotion")}
            return developers | kinds

        @initialize(target=consumers)
        def first_consumers(self) -> object:
            made = [uuid.uuid4() for _ in range(2)]
            self.clerk.wallets.update(dict.fromkeys(made, 0))
            return multiple(*made)

        @rule(target=past, consumer=consumers, amount=AMOUNTS)
        def grant(self, consumer: uuid.UUID, amount: int) -> tuple[Call, object]:
            reference = uuid.uuid4()
            assert ledger.grant(reference, consumer, amount)
            self.clerk.wallets[consumer] += amount
            self.clerk.granted += amount
            return (lambda: ledger.grant(reference, consumer, amount)), False

        @rule(target=holds, consumer=consumers, part=st.integers(0, 120))
        def hold(self, consumer: uuid.UUID, part: int) -> object:
            """Up to a fifth more than there is: refused, then, to the last micro-credit."""
            hold, amount = uuid.uuid4(), max(1, self.clerk.available(consumer) * part // 100)
            if amount > self.clerk.available(consumer):
                with pytest.raises(DBAPIError) as refused:
                    ledger.hold(hold, consumer, amount)
                assert sqlstate(refused.value) == "P0402"
                return multiple()
            assert ledger.hold(hold, consumer, amount) == "held"
            self.clerk.holds[hold] = (consumer, amount)
            return hold

        @rule(hold=holds)
        def hold_again(self, hold: uuid.UUID) -> None:
            assert ledger.hold(hold, *self.clerk.holds[hold]) == "exists"

        @rule(
            target=past,
            hold=consumes(holds),
            developer=st.sampled_from(DEVELOPERS),
            rate=st.integers(0, 10_000),
        )
        def capture(self, hold: uuid.UUID, developer: uuid.UUID, rate: int) -> tuple[Call, object]:
            consumer, amount = self.clerk.holds[hold]
            fee = amount * rate // 10_000
            assert ledger.capture(hold, developer, fee) == "captured"
            self.clerk.resolved[hold] = "already_captured"
            self.clerk.wallets[consumer] -= amount
            self.clerk.fees += fee
            earned = self.clerk.earned.get(developer, 0)
            self.clerk.earned[developer] = earned + amount - fee
            return (lambda: ledger.capture(hold, developer, fee)), "already_captured"

        @rule(target=past, hold=consumes(holds))
        def release(self, hold: uuid.UUID) -> tuple[Call, object]:
            assert ledger.release(hold) == "released"
            self.clerk.resolved[hold] = "already_released"
            return (lambda: ledger.release(hold)), "already_released"

        @rule(deed=past)
        def repeat(self, deed: tuple[Call, object]) -> None:
            call, answer = deed
            assert call() == answer

        @rule(data=st.data())
        def resolve_otherwise(self, data: st.DataObject) -> None:
            """What was captured is then released, and the other way round."""
            if self.clerk.resolved:
                hold = data.draw(st.sampled_from(sorted(self.clerk.resolved)))
                assert ledger.release(hold) == self.clerk.resolved[hold]
                assert ledger.capture(hold, DEVELOPERS[0], 0) == self.clerk.resolved[hold]

        @rule()
        def fold(self) -> None:
            ledger.fold()
            assert ledger.fold() == 0

        @invariant()
        def the_database_says_what_the_clerk_says(self) -> None:
            for consumer, amount in self.clerk.wallets.items():
                assert ledger.balance("wallet", consumer) == amount
                assert ledger.pending(consumer) == self.clerk.pending(consumer)
            moved = {name: now - self.before[name] for name, now in self.shared().items()}
            earned = {str(one): self.clerk.earned.get(one, 0) for one in DEVELOPERS}
            assert moved == earned | {
                "platform_fee": self.clerk.fees,
                "promotion": -self.clerk.granted,
            }

        @invariant()
        def no_rule_of_the_ledger_is_broken(self) -> None:
            assert ledger.broken() == set()

    return LedgerMachine


def test_any_order_of_any_calls_leaves_the_books_as_a_clerk_would(owner: Connection) -> None:
    run_state_machine_as_test(
        machine_of(Ledger(owner)),
        settings=settings(
            max_examples=int(os.environ.get("LEDGER_EXAMPLES", "35")),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
