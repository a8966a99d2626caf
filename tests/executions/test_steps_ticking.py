"""Event 8: what is due on an execution when an alarm or the sweep asks."""

import uuid
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import Connection, text

from common.credits.tables import MICRO_CREDITS
from tests.factories import Offer
from tests.steps import Steps


def test_nothing_is_due_on_what_has_ended_or_never_was(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.cancel(execution, consumer)
    assert steps.tick(execution).action == "none"
    assert steps.tick(uuid.uuid4()).action == "none"


def test_a_waiting_run_is_due_for_its_submit(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    assert steps.tick(steps.start(offer, consumer)).action == "submit"


def test_an_alarm_that_rings_early_is_told_when_to_come_back(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, _ = steps.running(offer, consumer)
    tick = steps.tick(execution)
    assert (tick.action, tick.next_check_at) == ("early", steps.now + timedelta(seconds=10))


def test_a_look_is_leased_for_half_a_minute(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.wait(10)
    first, second = steps.tick(execution), steps.tick(execution)
    assert (first.action, first.attempt_id) == ("look", attempt)
    assert (second.action, second.next_check_at) == ("early", steps.now + timedelta(seconds=30))
    steps.wait(30)
    assert steps.tick(execution).action == "look"


def test_an_attempt_without_an_answer_for_ninety_seconds_is_given_up(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    attempt = steps.begin(execution)
    steps.wait(90)
    assert steps.tick(execution).action == "submit"
    assert steps.attempt(attempt).state == "lost"
    assert steps.execution(execution).phase == "waiting"
    assert steps.attempt(steps.begin(execution)).n == 2


def test_three_attempts_without_an_answer_end_the_run(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    actions = []
    for _ in range(3):
        steps.begin(execution)
        steps.wait(90)
        actions.append(steps.tick(execution).action)
    assert actions == ["submit", "submit", "failed"]
    assert steps.execution(execution).error_code == "NO_ANSWER"
    assert steps.credits_of(consumer) == (30, 0)


def test_a_run_past_its_life_is_timed_out_and_its_jobs_are_cancelled(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    steps.now = steps.execution(execution).expires_at
    assert steps.tick(execution).action == "expired"
    row = steps.execution(execution)
    assert (row.status, row.error_code) == ("TIMED_OUT", "EXECUTION_EXPIRED")
    assert steps.credits_of(consumer) == (30, 0)
    assert steps.wanted_cancels() == [attempt]


def test_a_run_past_its_life_that_was_to_be_cancelled_is_cancelled(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, _ = steps.running(offer, consumer)
    steps.cancel(execution, consumer)
    steps.now = steps.execution(execution).expires_at
    assert steps.tick(execution).action == "expired"
    row = steps.execution(execution)
    assert (row.status, row.error_code) == ("CANCELLED", None)


def test_a_run_that_was_never_submitted_ends_with_its_life(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.now = steps.execution(execution).expires_at
    assert steps.tick(execution).action == "expired"
    assert steps.credits_of(consumer) == (30, 0)
    assert steps.claim(older_than=0) == []


def test_every_live_execution_is_found_by_the_sweep_in_its_time(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    """Waiting, submitting and watching alike: no phase can be forgotten."""
    waiting = steps.start(offer, consumer)
    submitting = steps.start(offer, consumer)
    steps.begin(submitting)
    watching, _ = steps.running(offer, consumer)
    steps.wait(90 + 15)
    assert steps.overdue() == [waiting, watching, submitting]


def test_what_is_due_now_is_left_to_its_alarm_for_fifteen_seconds(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    steps.wait(14.9)
    assert (steps.overdue(), steps.claim()) == ([], [])
    steps.wait(0.1)
    assert (steps.overdue(), steps.claim()) == ([execution], [execution])


def test_a_claimed_row_comes_back_later_and_later(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution = steps.start(offer, consumer)
    claimed_at = []
    for seconds in range(0, 1_000, 15):
        if steps.claim(older_than=0) == [execution]:
            claimed_at.append(seconds)
        steps.wait(15)
    pauses = [later - earlier for earlier, later in pairwise(claimed_at)]
    assert pauses == [15, 30, 60, 120, 240, 480]


def test_a_claim_takes_the_oldest_and_no_more_than_asked(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    started = []
    for _ in range(3):
        started.append(steps.start(offer, consumer))
        steps.wait(1)
    claimed = [steps.claim(older_than=0, limit=1) for _ in range(4)]
    assert claimed == [[one] for one in started] + [[]]


def test_a_run_past_its_life_ends_although_its_next_look_is_still_to_come(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, _ = steps.running(offer, consumer)
    steps.wait(steps.life(execution) - 1)
    assert steps.tick(execution).action == "look"
    steps.wait(1)
    assert steps.tick(execution).action == "expired"


def test_one_statement_ends_every_run_past_its_life_and_no_other(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    """Found by the simulation: a run outlived its bound because its sweeps died half way."""
    old = [steps.start(offer, consumer), steps.running(offer, consumer)[0]]
    steps.wait(steps.life(old[0]))
    young = steps.start(offer, consumer)
    assert steps.expire() == 2
    assert steps.expire() == 0
    assert {steps.execution(each).status for each in old} == {"TIMED_OUT"}
    assert steps.execution(young).status == "PENDING"
    assert steps.wallet(consumer).pending == 10 * MICRO_CREDITS


def test_a_run_that_cannot_be_ended_keeps_no_other_alive(
    steps: Steps, offer: Offer, consumer: uuid.UUID, owner: Connection
) -> None:
    stuck, fine = steps.start(offer, consumer), steps.start(offer, consumer)
    owner.execute(text("SET session_replication_role = replica"))
    hold = {"id": stuck}
    owner.execute(text("UPDATE ledger.hold SET id = gen_random_uuid() WHERE id = :id"), hold)
    steps.wait(steps.life(fine))
    assert steps.expire() == 1
    assert steps.execution(fine).status == "TIMED_OUT"
    assert steps.execution(stuck).status == "PENDING"
    owner.execute(
        text(
            "UPDATE ledger.hold SET id = :id WHERE NOT EXISTS"
            " (SELECT 1 FROM executions e WHERE e.id = hold.id)"
        ),
        hold,
    )
    assert steps.expire() == 1
