"""Events 2 to 5: an attempt is written down, then RunPod takes, refuses or does not answer."""

import uuid
from datetime import timedelta

import pytest

from common.executions import queries
from tests.factories import Offer
from tests.steps import Steps


def test_an_attempt_exists_before_anything_is_sent(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = uuid.uuid4()
    with steps.db.step() as connection:
        begun = queries.begin_attempt(
            connection, execution, attempt_id=attempt, token_hash=b"hash", now=steps.now
        )
    assert begun is not None
    assert begun.runpod_endpoint_id == offer.runpod_endpoint_id
    assert begun.payload == {"prompt": "a lighthouse"}
    assert (begun.queue_seconds, begun.execution_timeout_seconds) == (600, 600)
    row = steps.attempt(attempt)
    assert (row.n, row.state, row.job_id, row.token_hash) == (1, "intent", None, b"hash")


def test_an_attempt_outlives_the_limits_that_runpod_is_given_by_a_minute(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    row = steps.attempt(steps.begin(steps.start(offer, consumer)))
    assert row.deadline_at - row.begun_at == timedelta(seconds=600 + 600 + 60)


def test_a_begun_attempt_is_looked_after_in_ninety_seconds(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.begin(execution)
    row = steps.execution(execution)
    assert (row.phase, row.status, row.attempts) == ("submitting", "PENDING", 1)
    assert row.next_check_at == steps.now + timedelta(seconds=90)


def test_beginning_an_attempt_takes_the_work_out_of_the_outbox(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    steps.begin(steps.start(offer, consumer))
    steps.wait(3600)
    assert steps.claim() == []


def test_only_one_attempt_at_a_time_is_begun(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.begin(execution)
    assert steps.try_to_begin(execution) is None


def test_no_attempt_is_begun_for_nothing(steps: Steps) -> None:
    assert steps.try_to_begin(uuid.uuid4()) is None


def test_no_attempt_is_begun_for_what_has_ended(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.cancel(execution, consumer)
    assert steps.try_to_begin(execution) is None


def test_no_attempt_is_begun_before_its_pause_is_over(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.rejected(steps.begin(execution))
    steps.wait(9.9)
    assert steps.try_to_begin(execution) is None
    steps.wait(0.1)
    assert steps.try_to_begin(execution) is not None


def test_no_attempt_is_begun_past_the_life_of_its_execution(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.now = steps.execution(execution).expires_at
    assert steps.try_to_begin(execution) is None
    assert steps.tick(execution).action == "expired"


def test_a_taken_job_is_queued_and_looked_at_in_ten_seconds(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    assert steps.submitted(attempt, "job-1") == "watching"
    row = steps.execution(execution)
    assert (row.phase, row.status) == ("watching", "QUEUED")
    assert row.next_check_at == steps.now + timedelta(seconds=10)
    assert (steps.attempt(attempt).state, steps.attempt(attempt).job_id) == ("submitted", "job-1")


def test_an_answer_that_is_stored_twice_changes_nothing(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.wait(5)
    assert steps.submitted(attempt) == "noted"
    assert steps.execution(execution).next_check_at == steps.now + timedelta(seconds=5)


def test_an_answer_for_an_unknown_attempt_is_unknown(steps: Steps) -> None:
    assert steps.submitted(uuid.uuid4(), "job") == "unknown"


def test_runpods_answer_wins_over_the_job_that_a_callback_named(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    attempt = steps.begin(steps.start(offer, consumer))
    assert steps.observe(attempt, "QUEUED", job="forged", source="callback").effect == "alive"
    steps.submitted(attempt, "real")
    assert steps.attempt(attempt).job_id == "real"


def test_an_answer_after_the_attempt_was_given_up_asks_for_a_cancel(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    steps.wait(90)
    assert steps.tick(execution).action == "submit"
    assert steps.submitted(attempt) == "noted"
    assert steps.wanted_cancels() == [attempt]


def test_an_answer_after_the_execution_ended_asks_for_a_cancel(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    steps.now = steps.execution(execution).expires_at
    steps.tick(execution)
    assert steps.submitted(attempt) == "noted"
    assert steps.wanted_cancels() == [attempt]


@pytest.mark.parametrize(("attempts", "pause"), [(1, 10), (2, 20)])
def test_a_refused_submit_is_tried_again_after_a_growing_pause(
    steps: Steps, offer: Offer, consumer: uuid.UUID, attempts: int, pause: int
) -> None:
    execution = steps.start(offer, consumer)
    for _ in range(attempts):
        assert steps.rejected(steps.begin(execution)) == "retry"
        steps.wait(pause)
    row = steps.execution(execution)
    assert (row.phase, row.status, row.attempts) == ("waiting", "PENDING", attempts)
    assert row.next_check_at == steps.now
    assert steps.claim(older_than=0) == [execution]


def test_the_third_refusal_ends_the_run_and_gives_the_credits_back(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    effects = []
    for _ in range(3):
        effects.append(steps.rejected(steps.begin(execution)))
        steps.wait(20)
    assert effects == ["retry", "retry", "failed"]
    row = steps.execution(execution)
    assert (row.status, row.error_code) == ("FAILED", "GPU_UNAVAILABLE")
    assert steps.credits_of(consumer) == (30, 0)
    assert steps.announced(execution) == ["FAILED"]
    assert steps.try_to_begin(execution) is None


def test_a_refusal_that_will_not_pass_ends_the_run_at_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    assert steps.rejected(steps.begin(execution), retryable=False) == "failed"
    assert steps.credits_of(consumer) == (30, 0)


def test_a_refusal_that_is_told_twice_counts_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    assert [steps.rejected(attempt), steps.rejected(attempt)] == ["retry", "stale"]
    assert steps.execution(execution).attempts == 1


def test_a_refusal_of_a_job_that_reported_is_not_believed(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    attempt = steps.begin(steps.start(offer, consumer))
    steps.observe(attempt, "RUNNING", source="callback")
    assert steps.rejected(attempt) == "stale"


def test_a_refusal_for_an_unknown_attempt_is_stale(steps: Steps) -> None:
    assert steps.rejected(uuid.uuid4()) == "stale"


def test_a_submit_without_an_answer_changes_nothing_for_ninety_seconds(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.begin(execution)
    steps.wait(89)
    tick = steps.tick(execution)
    assert (tick.action, tick.next_check_at) == ("early", steps.now + timedelta(seconds=1))
