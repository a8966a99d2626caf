"""The fault table, row by row: what goes wrong, what happens, who repairs it and by when.

Faults of the network between us and RunPod appear here as what a worker saw before it died; the
journeys meet them with real processes.
"""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.factories import Offer
from tests.steps import Steps

UNTOUCHED, HELD, PAID = (30, 0), (20, 10), (20, 0)


def test_a_double_click_is_one_run(steps: Steps, offer: Offer, consumer: uuid.UUID) -> None:
    assert steps.start(offer, consumer, key="k") == steps.start(offer, consumer, key="k")
    assert steps.credits_of(consumer) == HELD


def test_a_crash_after_the_start_is_repaired_by_the_sweep(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.wait(75)
    assert steps.overdue() == [execution]
    assert steps.tick(execution).action == "submit"
    assert steps.try_to_begin(execution) is not None


def test_a_task_that_is_delivered_twice_submits_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    first, second = steps.try_to_begin(execution), steps.try_to_begin(execution)
    assert (first is None, second is None) == (False, True)


def test_a_crash_before_the_post_costs_ninety_seconds_and_a_sweep(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.begin(execution)
    steps.wait(90 + 60)
    assert steps.overdue() == [execution]
    assert steps.tick(execution).action == "submit"
    second = steps.begin(execution)
    steps.submitted(second)
    assert steps.observe(second, "COMPLETED").effect == "completed"
    assert steps.credits_of(consumer) == PAID


def test_a_crash_after_the_post_is_repaired_by_the_callback(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    steps.wait(40)
    assert steps.observe(attempt, "COMPLETED", source="callback").effect == "completed"
    assert steps.attempt(attempt).job_id == steps.job(attempt)


def test_a_crash_after_the_post_whose_callback_is_late_still_pays_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    orphan = steps.begin(execution)
    steps.wait(90)
    steps.tick(execution)
    second = steps.begin(execution)
    steps.submitted(second)
    assert steps.observe(second, "COMPLETED").effect == "completed"
    assert steps.observe(orphan, "COMPLETED", source="callback").effect == "late"
    assert (steps.credits_of(consumer), steps.earned(offer.developer_id)) == (PAID, 7)


def test_a_lost_callback_is_repaired_by_the_poll_within_two_minutes(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    for _ in range(12):
        due = steps.execution(execution).next_check_at
        assert due is not None
        assert due - steps.now <= timedelta(seconds=120)
        steps.now = due
        assert steps.tick(execution).action == "look"
        steps.observe(attempt, "RUNNING")
    steps.wait(120)
    assert steps.tick(execution).action == "look"
    assert steps.observe(attempt, "COMPLETED").effect == "completed"


def test_a_callback_that_is_repeated_is_late(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    _, attempt = steps.running(offer, consumer)
    effects = [steps.observe(attempt, "COMPLETED", source="callback").effect for _ in range(3)]
    assert effects == ["completed", "late", "late"]
    assert steps.earned(offer.developer_id) == 7


def test_callbacks_in_the_wrong_order_end_the_run_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    assert steps.observe(attempt, "COMPLETED", source="callback").effect == "completed"
    assert steps.observe(attempt, "RUNNING", source="callback").effect == "late"
    assert steps.observe(attempt, "FAILED", source="callback").effect == "late"
    assert steps.execution(execution).status == "COMPLETED"


def test_a_poller_that_dies_is_replaced_after_its_lease(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, _ = steps.running(offer, consumer)
    steps.wait(10)
    assert steps.tick(execution).action == "look"
    steps.wait(45)
    assert steps.overdue() == [execution]
    assert steps.tick(execution).action == "look"


def test_a_job_that_runpod_lost_is_run_again(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, first = steps.running(offer, consumer)
    assert steps.observe(first, "GONE").effect == "retry"
    steps.wait(10)
    second = steps.begin(execution)
    steps.submitted(second)
    assert steps.observe(second, "COMPLETED").effect == "completed"
    assert steps.credits_of(consumer) == PAID


def test_a_runpod_that_is_down_leaves_the_run_leased_until_its_life_ends(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, _ = steps.running(offer, consumer)
    expires_at = steps.execution(execution).expires_at
    steps.wait(10)
    while steps.now < expires_at:
        assert steps.tick(execution).action == "look"
        steps.wait(30)  # the status cannot be read
    assert steps.tick(execution).action == "expired"
    assert steps.credits_of(consumer) == UNTOUCHED


def test_an_endpoint_without_workers_ends_in_a_time_out_and_a_refund(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    limit = steps.now + timedelta(seconds=600 + 600 + 60 + 1)
    effects = []
    while (due := steps.execution(execution).next_check_at) and due <= limit:
        steps.now = due
        effects.append(steps.observe(attempt, "QUEUED").effect)
    assert effects == ["alive"] * (len(effects) - 1) + ["timed_out"]
    assert steps.credits_of(consumer) == UNTOUCHED


def test_a_result_that_never_reached_runpod_is_timed_out_and_not_paid(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    _, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "RUNNING")
    assert steps.observe(attempt, "TIMED_OUT").effect == "timed_out"
    assert (steps.credits_of(consumer), steps.earned(offer.developer_id)) == (UNTOUCHED, 0)


def test_a_cancel_that_was_lost_is_due_again_within_a_minute(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    for _ in range(10):
        steps.observe(attempt, "RUNNING")
    steps.cancel(execution, consumer)
    assert steps.tick(execution).action == "look"
    steps.observe(attempt, "RUNNING")
    steps.wait(60)
    assert steps.tick(execution).action == "look"


def test_a_completion_after_the_refund_neither_pays_nor_delivers(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "TIMED_OUT")
    assert steps.observe(attempt, "COMPLETED", source="callback").effect == "late"
    assert steps.execution(execution).output is None
    assert steps.effects(execution)[-1] == ("callback:COMPLETED", "late")
    assert (steps.credits_of(consumer), steps.earned(offer.developer_id)) == (UNTOUCHED, 0)


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED"])
def test_every_step_may_be_repeated_when_its_answer_was_lost(
    steps: Steps, offer: Offer, consumer: uuid.UUID, end: str
) -> None:
    """A commit whose answer is lost makes the caller call again; the second call is a no-op."""
    execution = steps.start(offer, consumer, key="k")
    assert steps.start(offer, consumer, key="k") == execution
    attempt = steps.begin(execution)
    assert steps.try_to_begin(execution) is None
    assert [steps.submitted(attempt) for _ in range(2)] == ["watching", "noted"]
    assert [steps.cancel(execution, consumer) for _ in range(2)] == ["requested", "requested"]
    effects = [steps.observe(attempt, end).effect for _ in range(2)]
    assert effects == ["completed" if end == "COMPLETED" else "cancelled", "late"]
    assert len(steps.announced(execution)) == 1


def test_a_hot_developer_who_deletes_the_endpoint_mid_run_costs_the_consumer_nothing(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    for effect in ("retry", "retry", "failed"):
        attempt = steps.begin(execution)
        steps.submitted(attempt)
        assert steps.observe(attempt, "GONE").effect == effect
        steps.wait(20)
    assert steps.credits_of(consumer) == UNTOUCHED


def test_a_price_that_changes_mid_run_does_not_reach_the_run(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    _, attempt = steps.running(offer, consumer)
    with steps.db.step() as connection:
        raised = text("UPDATE tars_models SET price_credits = 20 WHERE id = :id")
        connection.execute(raised, {"id": offer.tars_model_id})
    steps.observe(attempt, "COMPLETED")
    assert (steps.credits_of(consumer), steps.earned(offer.developer_id)) == (PAID, 7)


def test_a_fold_worker_that_dies_leaves_balances_exact(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    _, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "COMPLETED")
    assert steps.earned(offer.developer_id) == 7
    with steps.db.step() as connection:
        assert connection.scalar(text("SELECT ledger.fold()")) == 3
    assert steps.earned(offer.developer_id) == 7
