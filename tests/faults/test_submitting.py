"""Submitting under faults: one test per row of money-and-faults.md 3.4 about hop 1 and 2."""

import uuid
from typing import Any

import pytest

from common.executions import service as executions
from tests.faults.case import MINUTE_OF_SWEEP, Case, at_once

NOTHING_STORED: dict[str, Any] = {
    "type": "IMAGE",
    "outputs": [],
    "raw": {},
    "text": None,
    "seed": None,
}


def test_client_retries_submit_or_double_click_is_one_run(case: Case) -> None:
    path = f"/api/marketplace/models/{case.model.slug}/run"
    body, key = {"inputs": {"prompt": "x"}}, {"Idempotency-Key": "one click"}

    answers = at_once(*[lambda: case.consumer.ok("POST", path, body, **key)] * 2)

    assert answers[0]["executionId"] == answers[1]["executionId"]
    case.runs.append(answers[0]["executionId"])
    assert case.ended(case.runs[0], within=30)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_crash_after_submit_commit_before_task_is_taken_up_by_the_sweep(case: Case) -> None:
    run = case.start_only()
    assert case.world.tasks.waiting() == []

    assert case.ended(run, within=MINUTE_OF_SWEEP)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_cloud_task_lost_is_replaced_by_the_sweep(case: Case) -> None:
    case.fault("F1")
    case.works_for(5)
    run = case.run()
    case.lose_tasks()

    assert case.ended(run, within=MINUTE_OF_SWEEP)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_cloud_tasks_losing_every_task_leaves_the_work_to_the_sweep(case: Case) -> None:
    case.fault("F1")
    case.works_for(5)
    run = case.start_only()

    ended = case.ended(run, within=4 * MINUTE_OF_SWEEP, before_each=case.lose_tasks)

    assert ended["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_cloud_task_delivered_late_finds_nothing_left_to_do(case: Case) -> None:
    run = case.run()
    assert case.world.ended(case.consumer, run)["status"] == "COMPLETED"
    late = case.world.tasks.waiting()
    assert late

    assert [case.world.tasks.deliver(task.name).status for task in late] == [200] * len(late)
    assert len(case.jobs()) == 1


def test_task_delivered_twice_submits_once(case: Case) -> None:
    run = case.start_only()
    case.only_ours(20)
    case.world.sweep()
    (task,) = case.world.tasks.waiting()

    first = case.world.tasks.deliver(task.name, lose_answer=True)
    second = case.world.tasks.deliver(task.name)

    assert first.status == second.status == 200
    assert case.ended(run, within=30)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_two_workers_dispatching_at_once_submit_once(case: Case) -> None:
    run = case.start_only()

    effects = at_once(*[lambda: executions.submit(case.world.runtime, uuid.UUID(run))] * 4)

    assert effects.count("not_due") == 3
    assert case.ended(run, within=30)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_crash_before_post_is_tried_again_after_the_grace(case: Case) -> None:
    run = case.start_only()
    case.begin_only(run)

    assert case.ended(run, within=90 + MINUTE_OF_SWEEP)["status"] == "COMPLETED"
    assert case.attempts() == ["lost", "completed"]
    assert len(case.jobs()) == 1


def test_crash_after_post_with_id_unknown_is_adopted_by_the_webhook(case: Case) -> None:
    case.works_for(20)
    run = case.start_only()
    case.post_only(run)

    assert case.ended(run, within=30)["status"] == "COMPLETED"
    assert case.attempts() == ["completed"]
    assert len(case.jobs()) == 1


def test_crash_after_post_without_a_webhook_is_lost_and_tried_again(case: Case) -> None:
    case.fault("F1", indexes=[0])
    run = case.start_only()
    case.post_only(run)

    assert case.ended(run, within=90 + MINUTE_OF_SWEEP)["status"] == "COMPLETED"
    assert case.attempts() == ["lost", "completed"]
    assert len(case.jobs()) == 2


def test_f4_a_dropped_answer_leaves_an_orphan_that_its_webhook_brings_home(case: Case) -> None:
    case.works_for(20)
    case.fault("F4")

    run = case.run()

    assert case.shown(run)["status"] == "PENDING"
    assert case.ended(run, within=45)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_f4_an_orphan_that_ends_first_wins_and_the_newer_job_is_cancelled(
    patient_case: Case,
) -> None:
    case = patient_case
    case.works_for(150)
    case.fault("F4", indexes=[0])
    run = case.run()
    case.world.advance(120, sweep=True)
    assert case.attempts() == ["lost", "submitted"]

    assert case.ended(run, within=60)["status"] == "COMPLETED"
    assert case.attempts() == ["completed", "submitted"]
    assert [job["status"] for job in case.jobs()] == ["COMPLETED", "CANCELLED"]


def test_f4_an_orphan_that_reports_after_the_end_is_late_and_changes_nothing(
    patient_case: Case,
) -> None:
    case = patient_case
    case.works_for(20)
    case.simulator.behave(case.endpoint, {"mode": "script", "run_ms": 200_000}, next=1)
    case.fault("F4", indexes=[0])
    run = case.run()
    assert case.ended(run, within=90 + MINUTE_OF_SWEEP)["status"] == "COMPLETED"
    case.world.advance(200)

    assert case.attempts() == ["completed", "completed"]
    assert case.effects()[-1] == "late"


def test_an_orphan_is_cancelled_as_soon_as_its_id_is_known(patient_case: Case) -> None:
    case = patient_case
    case.works_for(300)
    run = case.start_only()
    attempt, job_id = case.post_only(run)
    case.world.advance(120, sweep=True)
    assert case.attempts() == ["lost", "submitted"]

    case.wake_up(attempt, job_id)
    case.world.sweep()

    assert [job["status"] for job in case.jobs()] == ["CANCELLED", "IN_PROGRESS"]
    assert case.ended(run, within=330)["status"] == "COMPLETED"


def test_crash_after_an_orphan_won_leaves_the_newer_jobs_cancel_to_the_sweep(
    patient_case: Case,
) -> None:
    case = patient_case
    case.works_for(150)
    run = case.start_only()
    attempt, job_id = case.post_only(run)
    case.world.advance(120, sweep=True)
    case.observe_only(attempt, job_id, "COMPLETED", output=NOTHING_STORED)
    assert [job["status"] for job in case.jobs()] == ["IN_PROGRESS", "IN_PROGRESS"]

    case.world.sweep()

    assert [job["status"] for job in case.jobs()] == ["IN_PROGRESS", "CANCELLED"]


def test_crash_after_a_failure_was_noted_leaves_the_next_try_to_the_sweep(case: Case) -> None:
    case.works_for(5)
    run = case.start_only()
    attempt, job_id = case.post_only(run)
    case.observe_only(attempt, job_id, "FAILED", retryable=True)
    case.lose_tasks()

    assert case.ended(run, within=10 + MINUTE_OF_SWEEP)["status"] == "COMPLETED"
    assert case.attempts() == ["failed", "completed"]


def test_post_429_is_tried_again_after_10_to_20_seconds(case: Case) -> None:
    case.fault("F5", variant="429", indexes=[0, 1])

    run = case.run()

    assert case.shown(run)["status"] == "PENDING"
    assert case.ended(run, within=10 + 20 + 2 * 15)["status"] == "COMPLETED"
    assert case.attempts() == ["failed", "failed", "completed"]
    assert len(case.jobs()) == 1


def test_post_429_three_times_fails_with_a_release(case: Case) -> None:
    case.fault("F5", variant="429")

    run = case.run()
    ended = case.ended(run, within=60)

    assert (ended["status"], ended["errorCode"]) == ("FAILED", "GPU_UNAVAILABLE")
    assert case.jobs() == []


def test_post_4xx_fails_at_once_and_is_not_repeated(case: Case) -> None:
    case.simulator.add_endpoint(case.endpoint, run_limit=10)

    run = case.run()
    ended = case.shown(run)

    assert (ended["status"], ended["errorCode"]) == ("FAILED", "PAYLOAD_TOO_LARGE")
    assert case.attempts() == ["failed"]


@pytest.mark.parametrize("variant", ["502", "timeout"])
@pytest.mark.parametrize("created", [False, True], ids=["without a job", "with an orphan"])
def test_post_timeout_or_5xx_is_unknown_until_a_webhook_or_the_grace(
    case: Case, variant: str, created: bool
) -> None:
    case.is_impatient()
    case.works_for(10)
    case.fault("F5", variant=variant, created=created, indexes=[0], seconds=40)

    run = case.run()
    assert case.shown(run)["status"] == "PENDING"
    ended = case.ended(run, within=30 if created else 90 + MINUTE_OF_SWEEP + 30)

    assert ended["status"] == "COMPLETED"
    assert case.attempts() == (["completed"] if created else ["lost", "completed"])
    assert len(case.jobs()) == 1


def test_p8_an_empty_input_never_leaves_us(case: Case) -> None:
    path = f"/api/marketplace/models/{case.model.slug}/run"

    case.consumer.refused(422, "POST", path, {"inputs": {}})

    assert case.jobs() == []


def test_deploy_changes_price_and_fee_mid_run_and_the_run_keeps_its_terms(case: Case) -> None:
    case.works_for(10)
    run = case.run()
    path = f"/api/studio/tars-models/{case.model.id}"
    case.model.developer.ok("POST", f"{path}/publish", {"action": "archive"})
    case.model.developer.ok("PATCH", path, {"priceCredits": 50})
    case.model.developer.ok("POST", f"{path}/publish", {"action": "publish"})
    fees = case.world.runtime.settings.model_copy(update={"platform_fee_bps": 10_000})
    case.world.runtime.settings = fees

    assert case.ended(run, within=30)["billing"]["capturedCredits"] == 10
