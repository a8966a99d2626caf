"""All rules of the money against a clerk with paper: any order of any calls, each maybe repeated.

`MONEY_EXAMPLES` and `MONEY_STEPS` set a longer run; what the longest one found is in
infra/decisions/2026-11-27-money-model.md.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from common.db import Database
from common.executions import queries as executions
from common.settings import Settings
from infra.local.postgres import PostgresServer
from tests.factories import make_offer
from tests.payments.buying_rules import BuyingRules
from tests.payments.money_machine import Bench
from tests.payments.money_rules import EarningRules, RunningRules, StaffRules

EXAMPLES = int(os.environ.get("MONEY_EXAMPLES", "200"))
STEPS = int(os.environ.get("MONEY_STEPS", "50"))
EXAMPLES_PER_DATABASE = 10
# A failure is kept and met first the next time; with MONEY_SHRINK set it is shrunk, in minutes.
PHASES = [Phase.reuse, Phase.generate] + [Phase.shrink] * ("MONEY_SHRINK" in os.environ)


class Money(BuyingRules, StaffRules, RunningRules, EarningRules):
    """Everything at once. One consumer has bought and run, and one developer earned, already."""

    def earlier_life(self) -> None:
        self.open(163_002, 30, 1)  # a consumer pays 168,002 cents
        self.start(163_002, 80, 0)  # four fifths of it, at a fee of about 30 %
        self.end(0, 0, 2)
        self.connect(self.developers[0])
        self.seconds += 8 * 86_400

    def teardown(self) -> None:
        """At the end all is heard of, and our books are those of Stripe."""
        for order in self.stripe.said:
            self.hear(order, -1)
            self.the_books_say_what_the_clerk_says()
        for name, run in self.clerk.runs.items():
            if run.state == "held":
                executions.cancel(self.connection, name, run.consumer, self.now)
        self.bench.clean = True


@pytest.fixture
def bench_for_next(postgres: PostgresServer, template: str) -> Iterator[Callable[[], Bench]]:
    """The database of the next example: a new one after every few."""
    numbers = itertools.count()
    with ExitStack() as open_now:
        benches: list[Bench] = []

        def take() -> Bench:
            if not benches or not benches[0].clean or benches[0].used == EXAMPLES_PER_DATABASE:
                open_now.pop_all().close()
                benches[:] = [open_now.enter_context(_bench(postgres, template, next(numbers)))]
            benches[0].used += 1
            return benches[0]

        yield take


@contextmanager
def _bench(postgres: PostgresServer, template: str, number: int) -> Iterator[Bench]:
    name = f"money_{os.getpid()}_{number}"
    postgres.create_database(name, template=template)
    db = Database(Settings(database_url=postgres.url(name), db_pool_size=2))
    try:
        offer = make_offer(db)
        with db.step() as connection:
            yield Bench(db, connection, offer)
    finally:
        db.dispose()
        postgres.drop_database(name)


@pytest.mark.timeout(0)
def test_any_order_of_any_calls_leaves_the_money_as_a_clerk_would(
    bench_for_next: Callable[[], Bench],
) -> None:
    machine = type("Money", (Money,), {"bench_for_next": staticmethod(bench_for_next)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
