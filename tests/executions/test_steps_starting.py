"""Event 1: from a request to a durable execution with its price held."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common.db import sqlstate
from common.executions import queries
from common.executions.queries import Started
from tests.factories import Offer, grant, make_consumer, make_offer
from tests.steps import Steps


def test_a_start_holds_the_price_and_waits_for_its_first_attempt(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    started = steps.started(offer, consumer)
    assert (started.outcome, started.remaining) == ("started", 20_000_000)
    row = steps.execution(started.execution_id)
    assert (row.status, row.phase, row.attempts) == ("PENDING", "waiting", 0)
    assert row.next_check_at == row.created_at == steps.now
    assert steps.credits_of(consumer) == (20, 10)


def test_price_and_split_are_frozen_when_a_run_starts(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    row = steps.execution(steps.start(offer, consumer))
    assert (row.price, row.fee) == (10_000_000, 3_000_000)


def test_nothing_lives_longer_than_three_attempts_and_five_minutes(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    row = steps.execution(steps.start(offer, consumer))
    assert row.expires_at - row.created_at == timedelta(seconds=3 * (90 + 600 + 600) + 300)


def test_a_start_leaves_work_in_the_outbox(steps: Steps, offer: Offer, consumer: uuid.UUID) -> None:
    execution = steps.start(offer, consumer)
    assert steps.claim(older_than=0) == [execution]


def test_a_run_that_cannot_be_paid_leaves_no_trace(steps: Steps, offer: Offer) -> None:
    poor = make_consumer(steps.db, credits_=9)
    with pytest.raises(DBAPIError) as refused:
        steps.start(offer, poor, key="mine")
    assert sqlstate(refused.value) == "P0402"
    assert steps.credits_of(poor) == (9, 0)
    assert steps.claim(older_than=0) == []


def test_a_key_whose_run_was_refused_may_be_used_again(steps: Steps, offer: Offer) -> None:
    poor = make_consumer(steps.db)
    with pytest.raises(DBAPIError):
        steps.start(offer, poor, key="mine")
    grant(steps.db, poor, 10)
    assert steps.started(offer, poor, key="mine", request=b"another").outcome == "started"


def test_the_same_key_answers_the_earlier_run(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    first = steps.started(offer, consumer, key="mine")
    again = steps.started(offer, consumer, key="mine")
    assert again == Started("replayed", first.execution_id, 20_000_000)
    assert steps.credits_of(consumer) == (20, 10)


def test_the_same_key_answers_the_run_even_after_it_ended(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    first = steps.started(offer, consumer, key="mine")
    steps.observe(steps.begin(first.execution_id), "COMPLETED")
    again = steps.started(offer, consumer, key="mine")
    assert (again.outcome, again.execution_id) == ("replayed", first.execution_id)


def test_a_key_is_replayed_even_when_the_model_is_gone(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    first = steps.started(offer, consumer, key="mine")
    with steps.db.step() as connection:
        connection.execute(text("UPDATE base_models SET is_active = false"))
    assert steps.started(offer, consumer, key="mine").execution_id == first.execution_id


def test_a_key_for_another_request_is_refused(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    steps.started(offer, consumer, key="mine")
    with pytest.raises(DBAPIError) as refused:
        steps.started(offer, consumer, key="mine", request=b"another request")
    assert sqlstate(refused.value) == "P0422"
    assert steps.credits_of(consumer) == (20, 10)


def test_two_consumers_may_use_the_same_key(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    other = make_consumer(steps.db, credits_=10)
    assert steps.start(offer, consumer, key="1") != steps.start(offer, other, key="1")


def test_without_a_key_each_start_is_a_run(steps: Steps, offer: Offer, consumer: uuid.UUID) -> None:
    assert steps.start(offer, consumer) != steps.start(offer, consumer)
    assert steps.credits_of(consumer) == (10, 20)


def test_a_key_is_remembered_for_a_day(steps: Steps, offer: Offer, consumer: uuid.UUID) -> None:
    first = steps.start(offer, consumer, key="mine")
    steps.cancel(first, consumer)
    for seconds, outcome in ((86_400, "replayed"), (1, "started")):
        steps.wait(seconds)
        with steps.db.step() as connection:
            queries.forget(connection, steps.now)
        assert steps.started(offer, consumer, key="mine").outcome == outcome


def test_a_key_is_remembered_as_long_as_its_run_is_alive(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    steps.start(offer, consumer, key="mine")
    steps.wait(2 * 86_400)
    with steps.db.step() as connection:
        queries.forget(connection, steps.now)
    assert steps.started(offer, consumer, key="mine").outcome == "replayed"


def test_test_runs_cost_nothing_and_move_nothing(steps: Steps, offer: Offer) -> None:
    execution = steps.started_test(offer).execution_id
    attempt = steps.begin(execution)
    steps.submitted(attempt)
    assert steps.observe(attempt, "COMPLETED").effect == "completed"
    assert steps.earned(offer.developer_id) == 0


def test_the_same_test_joins_the_one_that_is_alive(steps: Steps, offer: Offer) -> None:
    first = steps.started_test(offer)
    assert steps.started_test(offer) == Started("replayed", first.execution_id)
    assert steps.started_test(offer, fingerprint=b"another").outcome == "started"


def test_a_test_may_be_repeated_five_seconds_after_it_ended(steps: Steps, offer: Offer) -> None:
    first = steps.started_test(offer)
    steps.observe(steps.begin(first.execution_id), "FAILED", retryable=False)
    steps.wait(4)
    assert steps.started_test(offer).outcome == "replayed"
    steps.wait(1)
    assert steps.started_test(offer).outcome == "started"


def test_the_quota_of_tests_is_by_day_and_developer(steps: Steps, offer: Offer) -> None:
    other = make_offer(steps.db)
    assert steps.started_test(offer, fingerprint=b"1", quota=1).outcome == "started"
    with pytest.raises(DBAPIError) as refused:
        steps.started_test(offer, fingerprint=b"2", quota=1)
    assert sqlstate(refused.value) == "P0429"
    assert steps.started_test(other, fingerprint=b"1", quota=1).outcome == "started"
    steps.wait(12 * 3600)  # the clock stood at noon
    assert steps.started_test(offer, fingerprint=b"2", quota=1).outcome == "started"
