"""Work that several processes find at the same moment is done by one of them."""

import random
import uuid
from collections import Counter
from datetime import timedelta
from functools import partial

from common.executions import queries
from common.outbox import queries as outbox
from tests.concurrency.racing import Act, race
from tests.factories import Offer, make_consumer
from tests.steps import Steps


def test_only_one_of_eight_workers_begins_an_attempt(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    for _ in range(6):
        execution = steps.start(offer, consumer)
        begun = race(*[partial(steps.try_to_begin, execution)] * 8)
        assert sum(attempt is not None for attempt in begun) == 1
        assert steps.execution(execution).attempts == 1


def test_only_one_of_eight_pollers_gets_the_lease(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, _ = steps.running(offer, consumer)
    for _ in range(6):
        steps.wait(30)
        actions = Counter(tick.action for tick in race(*[partial(steps.tick, execution)] * 8))
        assert actions == {"look": 1, "early": 7}


def test_only_one_of_two_sweeps_claims_a_row(steps: Steps, offer: Offer) -> None:
    consumer = make_consumer(steps.db, credits_=400)
    started = {steps.start(offer, consumer) for _ in range(40)}
    claims = race(*[partial(steps.claim, older_than=0, limit=30)] * 4)
    claimed = [execution for claim in claims for execution in claim]
    assert len(claimed) == len(set(claimed)) == 40
    assert set(claimed) == started
    assert all(len(claim) <= 30 for claim in claims)


def test_a_sweep_does_not_wait_for_another_ones_claim_nor_take_it_too(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    first, second, third = [steps.start(offer, consumer) for _ in range(3)]
    with steps.db.engine.connect() as uncommitted:
        claimed = outbox.claim(uncommitted, older_than=timedelta(0), limit=2, now=steps.now)
        assert set(claimed) == {first, second}
        assert steps.claim(older_than=0) == [third]
        uncommitted.rollback()  # the sweep died: its claim never was
    assert set(steps.claim(older_than=0)) == {first, second}


def test_cleaning_up_from_many_processes_at_once_is_harmless(steps: Steps, offer: Offer) -> None:
    consumer = make_consumer(steps.db, credits_=400)
    attempts = []
    for number in range(40):
        execution = steps.start(offer, consumer, key=str(number))
        attempts.append(steps.begin(execution))
        steps.cancel(execution, consumer)
    steps.wait(90)
    for attempt in attempts:
        steps.tick(steps.attempt(attempt).execution_id)
    steps.wait(86_400)

    def forget() -> None:
        with steps.db.step() as connection:
            queries.forget(connection, steps.now)

    race(*[forget] * 8)
    assert not any(steps.attempt(attempt).want_cancel for attempt in attempts)
    assert steps.started(offer, consumer, key="1").outcome == "started"


def test_any_events_from_sixteen_threads_leave_every_run_ended_once(
    steps: Steps, offer: Offer
) -> None:
    """The same few runs are hit by everything at once, in an order that nobody chose."""
    runs = 12
    consumer = make_consumer(steps.db, credits_=10 * runs)
    executions = [steps.start(offer, consumer) for _ in range(runs)]
    attempts: list[uuid.UUID] = []

    def worker(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(30):
            act(chance, chance.choice(executions))

    def act(chance: random.Random, execution: uuid.UUID) -> None:
        if chance.random() < 0.3 or not attempts:
            attempts.extend(filter(None, [steps.try_to_begin(execution)]))
            return
        attempt = chance.choice(attempts)
        seen = chance.choice(["RUNNING", "COMPLETED", "FAILED", "GONE", "TIMED_OUT", "CANCELLED"])
        acts: list[Act] = [
            partial(steps.submitted, attempt),
            partial(steps.rejected, attempt),
            partial(steps.observe, attempt, seen),
            partial(steps.tick, execution),
            partial(steps.cancel, execution, consumer),
        ]
        chance.choice(acts)()

    results = race(*[partial(worker, seed) for seed in range(16)])
    assert results == [None] * 16
    for execution in executions:
        steps.now = max(steps.now, steps.execution(execution).expires_at)
        steps.tick(execution)
        row = steps.execution(execution)
        assert steps.announced(execution) == [row.status]
        assert row.attempts <= 3
    held = steps.credits_of(consumer)[1]
    assert held == 0
