"""Event 6: what `GET /status` said, heard of by callback or by poll."""

import uuid
from datetime import timedelta

import pytest

from common.executions import queries
from tests.factories import Offer
from tests.steps import OUTPUT, Steps

ENDS = {"FAILED": "failed", "TIMED_OUT": "timed_out", "GONE": "lost", "CANCELLED": "cancelled"}


def test_completion_pays_seventy_percent_and_announces_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    seen = steps.observe(attempt, "COMPLETED", delayMs=900, executionMs=4_000)
    assert (seen.effect, seen.next_check_at, seen.leftovers) == ("completed", None, False)
    row = steps.execution(execution)
    assert (row.status, row.phase, row.output) == ("COMPLETED", "done", OUTPUT)
    assert (row.delay_ms, row.execution_ms) == (900, 4_000)
    assert row.finished_at == steps.now
    assert row.started_at == steps.now - timedelta(seconds=4)
    assert steps.credits_of(consumer) == (20, 0)
    assert steps.earned(offer.developer_id) == 7
    assert steps.announced(execution) == ["COMPLETED"]
    assert steps.attempt(attempt).state == "completed"


def test_a_completed_run_is_tallied_once(steps: Steps, offer: Offer, consumer: uuid.UUID) -> None:
    _, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "COMPLETED")
    steps.observe(attempt, "COMPLETED")
    with steps.db.step() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM run_tally").scalar() == 1


def test_a_second_completion_is_late_and_pays_nothing(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "COMPLETED", source="callback")
    steps.wait(1)
    seen = steps.observe(attempt, "COMPLETED")
    assert (seen.effect, seen.next_check_at, seen.leftovers) == ("late", None, False)
    assert steps.earned(offer.developer_id) == 7
    assert steps.effects(execution) == [
        ("callback:COMPLETED", "completed"),
        ("poll:COMPLETED", "late"),
    ]


@pytest.mark.parametrize("seen", ["FAILED", "GONE", "CANCELLED"])
def test_a_failed_or_lost_job_is_tried_again_and_stays_held(
    steps: Steps, offer: Offer, consumer: uuid.UUID, seen: str
) -> None:
    execution, attempt = steps.running(offer, consumer)
    observed = steps.observe(attempt, seen)
    assert (observed.effect, observed.leftovers) == ("retry", False)
    assert observed.next_check_at == steps.now + timedelta(seconds=10)
    row = steps.execution(execution)
    assert (row.phase, row.status) == ("waiting", "QUEUED")
    assert steps.attempt(attempt).state == ENDS[seen]
    assert steps.credits_of(consumer) == (20, 10)
    steps.wait(10)
    assert steps.claim(older_than=0) == [execution]


@pytest.mark.parametrize("seen", ["FAILED", "GONE", "CANCELLED"])
def test_the_third_failure_ends_the_run_and_gives_the_credits_back(
    steps: Steps, offer: Offer, consumer: uuid.UUID, seen: str
) -> None:
    execution = steps.start(offer, consumer)
    effects = []
    for _ in range(3):
        attempt = steps.begin(execution)
        steps.submitted(attempt)
        effects.append(steps.observe(attempt, seen, code="X", message="Sorry.").effect)
        steps.wait(20)
    assert effects == ["retry", "retry", "failed"]
    row = steps.execution(execution)
    assert (row.status, row.error_code, row.error_message) == ("FAILED", "X", "Sorry.")
    assert steps.credits_of(consumer) == (30, 0)
    assert steps.earned(offer.developer_id) == 0


def test_a_failure_that_would_repeat_ends_the_run_at_once(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    seen = steps.observe(attempt, "FAILED", retryable=False, error="Traceback")
    assert seen.effect == "failed"
    assert steps.attempt(attempt).error == "Traceback"
    assert steps.execution(execution).output is None
    assert steps.credits_of(consumer) == (30, 0)


def test_a_time_out_is_not_tried_again(steps: Steps, offer: Offer, consumer: uuid.UUID) -> None:
    execution, attempt = steps.running(offer, consumer)
    assert steps.observe(attempt, "TIMED_OUT", retryable=True).effect == "timed_out"
    assert steps.execution(execution).status == "TIMED_OUT"
    assert steps.credits_of(consumer) == (30, 0)


def test_the_status_shows_running_and_never_goes_back(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    assert steps.execution(execution).started_at is None
    for seen in ("QUEUED", "RUNNING", "QUEUED"):
        assert steps.observe(attempt, seen).effect == "alive"
    row = steps.execution(execution)
    assert (row.status, row.started_at) == ("RUNNING", steps.now)


def test_a_run_that_is_tried_again_keeps_the_furthest_status_it_showed(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "RUNNING")
    steps.observe(attempt, "FAILED")
    assert steps.execution(execution).status == "RUNNING"
    steps.wait(10)
    steps.submitted(steps.begin(execution))
    assert steps.execution(execution).status == "RUNNING"


def test_polls_grow_apart_but_never_beyond_two_minutes(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    _, attempt = steps.running(offer, consumer)
    pauses = []
    for _ in range(9):
        seen = steps.observe(attempt, "RUNNING")
        assert seen.next_check_at is not None
        pauses.append(round((seen.next_check_at - steps.now).total_seconds()))
        steps.now = seen.next_check_at
    assert pauses == [10, 16, 26, 41, 66, 105, 120, 120, 120]


def test_the_last_look_is_just_after_the_deadline(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    _, attempt = steps.running(offer, consumer)
    deadline = steps.attempt(attempt).deadline_at
    steps.now = deadline - timedelta(seconds=5)
    assert steps.observe(attempt, "RUNNING").next_check_at == deadline + timedelta(seconds=1)


@pytest.mark.parametrize("seen", ["QUEUED", "RUNNING"])
def test_a_job_past_its_deadline_is_timed_out_and_cancelled(
    steps: Steps, offer: Offer, consumer: uuid.UUID, seen: str
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.now = steps.attempt(attempt).deadline_at + timedelta(seconds=1)
    observed = steps.observe(attempt, seen, code="EXECUTION_TIMED_OUT")
    assert (observed.effect, observed.leftovers) == ("timed_out", True)
    assert steps.execution(execution).status == "TIMED_OUT"
    assert steps.wanted_cancels() == [attempt]
    assert steps.credits_of(consumer) == (30, 0)


def test_a_job_that_finished_by_the_last_look_is_paid_and_delivered(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.now = steps.attempt(attempt).deadline_at + timedelta(seconds=1)
    assert steps.observe(attempt, "COMPLETED").effect == "completed"
    assert steps.execution(execution).status == "COMPLETED"


def test_a_given_up_attempt_that_completes_first_wins_and_the_newer_one_is_cancelled(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    orphan = steps.begin(execution)
    steps.wait(90)
    steps.tick(execution)
    newer = steps.begin(execution)
    steps.submitted(newer)
    seen = steps.observe(orphan, "COMPLETED", source="callback")
    assert (seen.effect, seen.leftovers) == ("completed", True)
    assert steps.wanted_cancels() == [newer]
    assert steps.observe(newer, "COMPLETED").effect == "late"
    assert steps.earned(offer.developer_id) == 7
    assert steps.credits_of(consumer) == (20, 0)


def test_a_given_up_attempt_may_win_while_the_next_one_waits(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "GONE")
    assert steps.observe(attempt, "COMPLETED", source="callback").effect == "completed"
    steps.wait(10)
    assert steps.try_to_begin(execution) is None
    assert steps.claim(older_than=0) == []


@pytest.mark.parametrize("seen", sorted(ENDS))
def test_the_end_of_a_given_up_attempt_does_not_disturb_the_newer_one(
    steps: Steps, offer: Offer, consumer: uuid.UUID, seen: str
) -> None:
    execution = steps.start(offer, consumer)
    orphan = steps.begin(execution)
    steps.wait(90)
    steps.tick(execution)
    newer = steps.begin(execution)
    steps.submitted(newer)
    assert steps.observe(orphan, seen, source="callback").effect == "stale"
    assert steps.execution(execution).phase == "watching"
    assert steps.attempt(newer).state == "submitted"
    assert steps.attempt(orphan).state == ENDS[seen]


def test_a_given_up_attempt_that_is_still_running_is_left_to_the_newer_one(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    orphan = steps.begin(execution)
    steps.wait(90)
    steps.tick(execution)
    before = steps.execution(execution).next_check_at
    assert steps.observe(orphan, "RUNNING", source="callback").effect == "stale"
    assert steps.execution(execution).next_check_at == before
    newer = steps.begin(execution)
    steps.submitted(newer)
    assert steps.observe(orphan, "RUNNING", source="callback").effect == "stale"
    assert steps.execution(execution).status == "QUEUED"


def test_a_callback_before_the_answer_to_the_submit_adopts_the_job(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    assert steps.observe(attempt, "COMPLETED", source="callback").effect == "completed"
    assert steps.submitted(attempt) == "noted"
    assert steps.attempt(attempt).job_id == steps.job(attempt)
    assert steps.wanted_cancels() == []


def test_a_callback_that_names_another_job_of_the_attempt_is_noted_and_ignored(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    seen = steps.observe(attempt, "COMPLETED", job="forged", source="callback")
    assert seen.effect == "mismatch"
    assert steps.execution(execution).phase == "watching"
    assert steps.effects(execution) == [("callback:COMPLETED", "mismatch")]


def test_a_callback_cannot_claim_the_job_of_another_run(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    _, victim = steps.running(offer, consumer)
    thief = steps.start(offer, consumer)
    attempt = steps.begin(thief)
    seen = steps.observe(attempt, "COMPLETED", job=steps.job(victim), source="callback")
    assert seen.effect == "mismatch"
    assert steps.attempt(attempt).job_id is None
    assert steps.execution(thief).output is None


def test_what_is_seen_of_an_unknown_attempt_changes_nothing(steps: Steps) -> None:
    assert steps.observe(uuid.uuid4(), "COMPLETED").effect == "mismatch"


@pytest.mark.parametrize("seen", ["COMPLETED", "QUEUED", "RUNNING", *sorted(ENDS)])
def test_whatever_is_seen_after_the_end_is_late(
    steps: Steps, offer: Offer, consumer: uuid.UUID, seen: str
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "TIMED_OUT")
    before = steps.execution(execution)
    assert steps.observe(attempt, seen).effect == "late"
    after = steps.execution(execution)
    assert (after.status, after.finished_at, after.output) == (
        before.status,
        before.finished_at,
        None,
    )
    assert steps.credits_of(consumer) == (30, 0)


@pytest.mark.parametrize("seen", ["COMPLETED", "TIMED_OUT", "FAILED"])
def test_how_long_a_job_waited_and_ran_is_kept_whatever_came_of_it(
    steps: Steps, offer: Offer, consumer: uuid.UUID, seen: str
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.observe(attempt, seen, delayMs=900, executionMs=4_000, retryable=False)
    row = steps.execution(execution)
    assert (row.delay_ms, row.execution_ms) == (900, 4_000)


def test_a_run_that_is_tried_again_forgets_how_long_the_first_try_took(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "FAILED", delayMs=900, executionMs=4_000)
    row = steps.execution(execution)
    assert (row.delay_ms, row.execution_ms) == (None, None)


def test_a_callback_hastens_the_next_look_and_nothing_else(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    watched, attempt = steps.running(offer, consumer)
    submitting = steps.start(offer, consumer)
    steps.begin(submitting)
    before = steps.execution(submitting).next_check_at
    with steps.db.step() as connection:
        queries.hasten(connection, watched, steps.now)
        queries.hasten(connection, submitting, steps.now)
    assert steps.tick(watched).attempt_id == attempt
    assert steps.execution(submitting).next_check_at == before
