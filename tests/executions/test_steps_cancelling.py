"""Event 7: somebody wants a run to stop."""

import uuid
from datetime import timedelta

import pytest

from common.executions import queries
from tests.factories import Offer, make_consumer
from tests.steps import Steps


def test_a_waiting_run_is_cancelled_at_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    assert steps.cancel(execution, consumer) == "cancelled"
    assert steps.execution(execution).status == "CANCELLED"
    assert steps.credits_of(consumer) == (30, 0)
    assert steps.announced(execution) == ["CANCELLED"]
    assert steps.claim(older_than=0) == []


def test_a_run_between_two_attempts_is_cancelled_at_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "FAILED")
    assert steps.cancel(execution, consumer) == "cancelled"
    assert steps.credits_of(consumer) == (30, 0)


def test_cancelling_between_attempts_stops_a_job_that_was_given_up(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    orphan = steps.begin(execution)
    steps.wait(90)
    steps.tick(execution)
    steps.cancel(execution, consumer)
    steps.submitted(orphan)
    assert steps.wanted_cancels() == [orphan]


def test_cancelling_a_running_job_is_a_wish_that_is_due_now(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    assert steps.cancel(execution, consumer) == "requested"
    row = steps.execution(execution)
    assert (row.cancel_requested, row.status) == (True, "QUEUED")
    assert steps.credits_of(consumer) == (20, 10)
    tick = steps.tick(execution)
    assert (tick.action, tick.attempt_id) == ("look", attempt)


@pytest.mark.parametrize("seen", ["CANCELLED", "FAILED", "TIMED_OUT", "GONE"])
def test_a_job_that_ended_without_a_result_after_the_wish_is_cancelled(
    steps: Steps, offer: Offer, consumer: uuid.UUID, seen: str
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.cancel(execution, consumer)
    assert steps.observe(attempt, seen, code="X", message="Y").effect == "cancelled"
    row = steps.execution(execution)
    assert (row.status, row.error_code) == ("CANCELLED", None)
    assert steps.credits_of(consumer) == (30, 0)


def test_a_job_that_stays_unknown_after_its_runs_end_is_still_to_be_stopped(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    """It may come into sight later. Two looks were under way: the second finds the run ended."""
    execution, attempt = steps.running(offer, consumer)
    steps.cancel(execution, consumer)
    assert steps.observe(attempt, "GONE").effect == "cancelled"
    assert steps.observe(attempt, "GONE").effect == "late"
    assert steps.wanted_cancels() == [attempt]


def test_a_job_that_finished_before_the_wish_reached_runpod_is_charged_and_delivered(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.cancel(execution, consumer)
    assert steps.observe(attempt, "COMPLETED").effect == "completed"
    assert steps.credits_of(consumer) == (20, 0)
    assert steps.cancel(execution, consumer) == "ended"


def test_a_wish_during_the_submit_is_kept_until_runpod_answers(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    assert steps.cancel(execution, consumer) == "requested"
    assert steps.submitted(attempt) == "watching"
    assert steps.wanted_cancels() == [attempt]
    assert steps.execution(execution).next_check_at == steps.now


def test_a_wish_during_a_submit_that_is_refused_ends_the_run(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    steps.cancel(execution, consumer)
    assert steps.rejected(attempt) == "cancelled"
    assert steps.credits_of(consumer) == (30, 0)


def test_a_wish_during_a_submit_that_is_never_answered_ends_the_run_after_the_grace(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    steps.cancel(execution, consumer)
    assert steps.tick(execution).action == "early"
    steps.wait(90)
    assert steps.tick(execution).action == "cancelled"
    assert steps.credits_of(consumer) == (30, 0)
    steps.submitted(attempt)
    assert steps.wanted_cancels() == [attempt]


def test_a_job_that_goes_on_after_the_wish_is_looked_at_every_half_minute(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    for _ in range(8):
        steps.observe(attempt, "RUNNING")
    steps.cancel(execution, consumer)
    seen = steps.observe(attempt, "RUNNING", source="cancel")
    assert seen.next_check_at == steps.now + timedelta(seconds=30)


def test_a_job_that_ignores_the_wish_until_its_deadline_is_cancelled_all_the_same(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.cancel(execution, consumer)
    steps.now = steps.attempt(attempt).deadline_at + timedelta(seconds=1)
    assert steps.observe(attempt, "RUNNING").effect == "cancelled"
    assert steps.execution(execution).status == "CANCELLED"
    assert steps.wanted_cancels() == [attempt]


def test_repeating_a_cancel_changes_nothing(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    waiting = steps.start(offer, consumer)
    running, _ = steps.running(offer, consumer)
    assert [steps.cancel(waiting, consumer) for _ in range(2)] == ["cancelled", "cancelled"]
    assert [steps.cancel(running, consumer) for _ in range(2)] == ["requested", "requested"]
    assert steps.credits_of(consumer) == (20, 10)
    assert steps.announced(waiting) == ["CANCELLED"]


def test_another_consumers_run_is_unknown(steps: Steps, offer: Offer, consumer: uuid.UUID) -> None:
    execution = steps.start(offer, consumer)
    assert steps.cancel(execution, make_consumer(steps.db)) == "unknown"
    assert steps.cancel(uuid.uuid4(), consumer) == "unknown"
    assert steps.execution(execution).status == "PENDING"


def test_a_cancel_that_was_sent_is_not_wanted_any_more(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    _, attempt = steps.running(offer, consumer)
    steps.now = steps.attempt(attempt).deadline_at + timedelta(seconds=1)
    steps.observe(attempt, "RUNNING")
    with steps.db.step() as connection:
        queries.cancel_sent(connection, attempt)
    assert steps.wanted_cancels() == []


def test_a_cancel_that_can_never_be_sent_is_forgotten(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    steps.cancel(execution, consumer)
    steps.wait(90)
    steps.tick(execution)
    assert steps.attempt(attempt).want_cancel
    steps.now = steps.attempt(attempt).deadline_at + timedelta(hours=1, seconds=1)
    with steps.db.step() as connection:
        queries.forget(connection, steps.now)
    assert not steps.attempt(attempt).want_cancel
