"""What every rule of the money's state machine stands on: the database, the clerk, the comparison.

The whole database is compared and all of its invariant views are read after every step, in one
statement; a fresh database every few examples keeps that cheap.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.strategies import DataObject, data, integers, sampled_from
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from common.accounts.tables import Consumer, Developer
from common.db import Database, sqlstate
from common.payments import queries
from tests.factories import NOW, Offer
from tests.payments.money_model import MICRO, Clerk
from tests.payments.played_stripe import PlayedStripe

Call = Callable[[], Any]
Deed = Callable[[Any, int, int, int], None]
_deeds: list[tuple[str, Callable[[Any], Any]]] = []
USD = ("stripe_clearing", "deferred_revenue", "stripe_fee", "dispute_fee", "treasury")
UCR = ("issuance", "promotion", "adjustment", "platform_fee", "redemption")
STAFF: dict[str, Any] = {"actor": "staff", "reason": "a test"}
NOTHING = ("nothing", "duplicate", "mismatch")
READ = text(
    "SELECT kind, owner_id, posted, pending, frozen FROM ledger.balance"
    " WHERE owner_id = ANY(CAST(:owners AS uuid[])) OR owner_id IS NULL"
    " UNION ALL SELECT 'uncleared', d, earnings_uncleared(d, :now), 0, false"
    "             FROM unnest(CAST(:developers AS uuid[])) d"
    " UNION ALL SELECT 'broken: ' || rule || ' ' || what, NULL, difference, 0, false FROM ("
    "   SELECT * FROM ledger.violation UNION ALL SELECT * FROM payment_violation"
    "   UNION ALL SELECT * FROM execution_violation) v"
)
Balances = dict[tuple[str, uuid.UUID | None], tuple[int, int, bool]]


@dataclass
class Bench:
    """A database of its own for some examples, reached as the application does."""

    db: Database
    connection: Connection
    offer: Offer
    clean: bool = True
    used: int = 0


def deed(
    *, often: int = 1, when: Callable[[Any], Any] = lambda machine: True
) -> Callable[[Deed], Deed]:
    """Something that may happen. Each is told which of the things it may happen to, how much in
    percent, and how, as plain numbers: hypothesis would switch half of any rules off, and long
    stories such as dispute after refund after spending would hardly be told."""

    def listed(act: Deed) -> Deed:
        _deeds.extend([(act.__name__, when)] * often)
        return act

    return listed


def said(call: Call) -> Any:
    """The answer, or the SQLSTATE of the refusal."""
    try:
        return call()
    except DBAPIError as error:
        return sqlstate(error) or str(error)


def same(found: object, expected: object) -> None:
    """Says what differs: pytest explains assertions in test files alone."""
    assert found == expected, f"the books say {found}, the clerk {expected}"


class MoneyMachine(RuleBasedStateMachine):
    """An example: two consumers and two developers of its own."""

    bench_for_next: ClassVar[Callable[[], Bench]]

    def __init__(self) -> None:
        super().__init__()
        self.bench = type(self).bench_for_next()
        self.connection, self.offer = self.bench.connection, self.bench.offer
        # Until the example is over: what one has broken must not be found by the next.
        self.bench.clean = False
        self.clerk, self.stripe = Clerk(), PlayedStripe()
        self.past: list[tuple[Call, Sequence[Any]]] = []
        self.seconds = 0.0
        self.consumers: list[uuid.UUID] = []
        self.developers: list[uuid.UUID] = []
        self.connected: set[uuid.UUID] = set()
        self.before: Balances = {}

    @initialize()
    def people(self) -> None:
        names = [uuid.uuid4().hex for _ in range(4)]
        rows = [Consumer(firebase_uid=n, email=f"{n}@example.com", name="C") for n in names[:2]]
        owners = [Developer(firebase_uid=n, email=f"{n}@example.com") for n in names[2:]]
        with self.bench.db.transaction() as session:
            session.add_all([*rows, *owners])
        self.consumers, self.developers = [row.id for row in rows], [row.id for row in owners]
        self.before = self.read()
        self.earlier_life()

    def earlier_life(self) -> None:
        """What has happened before the first step."""

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def does(self, call: Call, *again: Any) -> Any:
        """A call that takes effect; `again`: what its repetitions may answer."""
        answer = call()
        self.past.append((call, again))
        return answer

    @rule(choice=data(), which=integers(0, 10**6), part=integers(0, 125), how=integers(0, 11))
    def something_happens(self, choice: DataObject, which: int, part: int, how: int) -> None:
        possible = [name for name, when in _deeds if when(self)]
        getattr(self, choice.draw(sampled_from(possible), label="deed"))(which, part, how)

    @deed(often=3, when=lambda self: self.past)
    def repeat(self, which: int, part: int, how: int) -> None:
        """Any past call with the same arguments changes nothing."""
        call, again = self.past[which % len(self.past)]
        assert said(call) in again

    @deed(often=2)
    def time_passes(self, which: int, part: int, how: int) -> None:
        """Minutes or days."""
        self.seconds += which % (9 * 86_400 if how < 6 else 3_600)

    def keep_stripes_books(self) -> None:
        """Stripe's own books are fetched as far as we can have heard of them."""
        paid = {one for one, order in self.clerk.orders.items() if order.paid}
        if lines := self.stripe.lines_for(self.clerk.booked):
            assert queries.keep_transactions(self.connection, lines, self.now) == len(lines)
            assert queries.keep_transactions(self.connection, lines, self.now) == 0
        if payments := self.stripe.payments_for(paid):
            queries.keep_payments(self.connection, payments)

    def read(self) -> Balances:
        parameters = {"owners": [*self.consumers, *self.developers], "now": self.now}
        rows = self.connection.execute(READ, parameters | {"developers": self.developers})
        return {(row[0], row[1]): (int(row[2]), int(row[3]), row[4]) for row in rows}

    @invariant()
    def the_books_say_what_the_clerk_says(self) -> None:
        self.keep_stripes_books()
        found = self.read()
        broken = [key[0] for key in found if key[0].startswith("broken")]
        same(broken, [])
        for consumer in self.consumers:
            wallet = found.get(("wallet", consumer), (0, 0, False))
            same(wallet, self.wallet(consumer))
            owed = found.get(("receivable", consumer), (0, 0, False))
            same(owed, (-self.clerk.owed[consumer], 0, False))
        for developer in self.developers:
            payable = found.get(("developer_payable", developer), (0, 0, False))
            due = self.clerk.payable[developer], self.clerk.on_the_way(developer), False
            same(payable, due)
            uncleared = self.clerk.uncleared(developer, self.seconds)
            same(found["uncleared", developer][0], uncleared)
        same(self.moved(found), self.clerk_moved())

    def wallet(self, consumer: uuid.UUID) -> tuple[int, int, bool]:
        clerk = self.clerk
        return clerk.wallet[consumer], clerk.held(consumer), clerk.frozen(consumer)

    def moved(self, found: Balances) -> dict[str, int]:
        """How far this example moved the platform's own accounts."""
        nothing = (0, 0, False)
        return {
            kind: found.get((kind, None), nothing)[0] - self.before.get((kind, None), nothing)[0]
            for kind in USD + UCR
        }

    def clerk_moved(self) -> dict[str, int]:
        books: Counter[str] = self.clerk.books
        cents = {kind: books[kind] * MICRO // 100 for kind in USD}
        return cents | {kind: books[kind] for kind in UCR}
