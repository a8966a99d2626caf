"""What RunPod does to jobs: stuck, lost, run twice, cut off, forgotten (F6-F14, F16-F18)."""

import uuid

import pytest

from common.executions import queries
from tests.faults.case import (
    ATTEMPT_SECONDS,
    MINUTE_OF_SWEEP,
    QUEUE_SECONDS,
    RUN_SECONDS,
    Case,
)


@pytest.mark.parametrize("variant", ["no_workers", "throttled", "unhealthy", "initializing"])
def test_endpoint_scaled_to_0_times_out_with_a_release(case: Case, variant: str) -> None:
    """F6 and P1: the job stays IN_QUEUE until RunPod deletes it."""
    case.fault("F6", variant=variant)

    run = case.run()
    ended = case.ended(run, within=ATTEMPT_SECONDS + MINUTE_OF_SWEEP)

    assert (ended["status"], ended["errorCode"]) == ("TIMED_OUT", "GPU_UNAVAILABLE")
    assert ended["startedAt"] is None
    assert len(case.jobs()) == 1


def test_f6_a_job_that_leaves_the_queue_late_is_still_delivered(case: Case) -> None:
    case.fault("F6", variant="throttled")
    run = case.run()
    case.world.advance(QUEUE_SECONDS - 5, sweep=True)
    assert case.shown(run)["status"] == "QUEUED"

    case.simulator.mend(case.endpoint, "F6")

    assert case.ended(run, within=30)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_runpod_that_still_queues_after_our_deadline_is_told_to_stop(case: Case) -> None:
    """Its clock may lag behind ours: then nobody but us ends the job."""
    case.fault("F6", variant="throttled")
    run = case.run()

    case.only_ours(ATTEMPT_SECONDS + 1)
    ended = case.ended(run, within=30)

    assert (ended["status"], ended["errorCode"]) == ("TIMED_OUT", "GPU_UNAVAILABLE")
    assert [job["status"] for job in case.jobs()] == ["CANCELLED"]


def test_late_completion_after_refund_changes_nothing(case: Case) -> None:
    """P16: the cancel does not stop the job, and its result comes when nobody pays any more."""
    case.works_for(25)
    case.fault("F16")
    run = case.run()
    case.only_ours(ATTEMPT_SECONDS + 1)
    assert case.ended(run, within=15)["status"] == "TIMED_OUT"

    case.world.advance(30)

    assert case.jobs()[0]["status"] == "COMPLETED"
    assert case.shown(run)["status"] == "TIMED_OUT"
    assert case.effects()[-1] == "late"


def test_f7_p5_an_error_inside_a_job_in_progress_ends_it_and_stops_the_bill(case: Case) -> None:
    case.works_for(5)
    case.fault("F7")

    run = case.run()
    ended = case.ended(run, within=3 * (15 + 40))

    assert (ended["status"], ended["errorCode"]) == ("FAILED", "WORKER_ERROR")
    assert [job["status"] for job in case.jobs()] == ["CANCELLED"] * 3


def test_f8_p3_completed_without_output_fails_and_is_not_run_again(case: Case) -> None:
    case.fault("F8")

    run = case.run()
    ended = case.world.ended(case.consumer, run)

    assert (ended["status"], ended["errorCode"]) == ("FAILED", "NO_OUTPUT")
    assert ended["queueTimeMs"] is not None
    assert ended["executionTimeMs"] is not None
    assert len(case.jobs()) == 1


@pytest.mark.parametrize(
    ("variant", "code"),
    [
        ("error_key", "OUT_OF_MEMORY"),
        ("status_key", "WORKER_ERROR"),
        ("text", "WORKER_ERROR"),
        ("listed", "WORKER_ERROR"),
    ],
)
def test_f9_completed_with_an_error_inside_fails(case: Case, variant: str, code: str) -> None:
    case.fault("F9", variant=variant)

    run = case.run()
    ended = case.world.ended(case.consumer, run)

    assert (ended["status"], ended["errorCode"]) == ("FAILED", code)
    assert len(case.jobs()) == 1


def test_f10_a_job_that_the_platform_runs_again_is_waited_for(patient_case: Case) -> None:
    case = patient_case
    case.works_for(5)
    case.fault("F10")

    run = case.run()

    assert case.ended(run, within=150)["status"] == "COMPLETED"
    assert [job["retries"] for job in case.jobs()] == [1]


def test_f11_p8_a_job_that_died_twice_at_runpod_is_tried_again_and_then_fails(
    patient_case: Case,
) -> None:
    case = patient_case
    case.works_for(5)
    case.fault("F11")

    run = case.run()
    ended = case.ended(run, within=3 * (2 * 45 + 120 + 20))

    assert (ended["status"], ended["errorCode"]) == ("FAILED", "WORKER_LOST")
    assert "retries" not in ended["errorMessage"]
    assert len(case.jobs()) == 3


@pytest.mark.parametrize("variant", ["FAILED", "TIMED_OUT"])
@pytest.mark.parametrize("heard", ["by webhook", "by poll"])
def test_f12_p13_a_time_limit_is_a_time_out_however_runpod_spells_it(
    case: Case, variant: str, heard: str
) -> None:
    case.works_for(5)
    case.fault("F12", variant=variant)
    if heard == "by poll":
        case.fault("F1")

    run = case.run()
    ended = case.ended(run, within=45 if heard == "by webhook" else 75)

    assert (ended["status"], ended["errorCode"]) == ("TIMED_OUT", "EXECUTION_TIMED_OUT")
    assert ended["executionTimeMs"] >= 33_000
    assert len(case.jobs()) == 1


def test_f13_p7_an_unknown_job_soon_after_submit_is_given_time(case: Case) -> None:
    case.works_for(25, queue_ms=20_000)
    case.fault("F13", variant="propagation", seconds=40)
    case.fault("F1")

    run = case.run()

    assert case.ended(run, within=90)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_runpod_loses_the_job_and_it_is_tried_again(patient_case: Case) -> None:
    """F13 and P4: the result is gone before we read it."""
    case = patient_case
    case.fault("F13", variant="retention", indexes=[0])

    run = case.run()

    assert case.ended(run, within=120 + 120 + 30)["status"] == "COMPLETED"
    assert case.attempts() == ["lost", "completed"]


def test_p11_a_job_deleted_while_running_is_submitted_anew(patient_case: Case) -> None:
    case = patient_case
    case.works_for(20)
    case.fault("F13", variant="ttl", seconds=5, indexes=[0])

    run = case.run()

    assert case.ended(run, within=120 + 120 + 60)["status"] == "COMPLETED"
    assert len(case.jobs()) == 2


def test_hot_developer_deletes_endpoint_mid_run_and_the_credits_come_back(
    patient_case: Case,
) -> None:
    case = patient_case
    case.works_for(20)
    case.fault("F13", variant="ttl", seconds=5)

    run = case.run()
    ended = case.ended(run, within=RUN_SECONDS)

    assert (ended["status"], ended["errorCode"]) == ("FAILED", "RESULT_LOST")
    assert len(case.jobs()) == 3


def test_f14_p5_a_progress_write_after_the_result_does_not_take_it_back(case: Case) -> None:
    case.fault("F14", seconds=5)

    run = case.run()
    before = case.world.ended(case.consumer, run)
    case.world.advance(60)

    assert case.jobs()[0]["status"] == "IN_PROGRESS"
    assert before["status"] == "COMPLETED"
    assert case.shown(run)["completedAt"] == before["completedAt"]


def test_f14_p5_a_result_overwritten_before_we_read_it_times_out_and_is_stopped(
    case: Case,
) -> None:
    case.fault("F14", seconds=1)
    case.fault("F1")

    run = case.run()
    ended = case.ended(run, within=ATTEMPT_SECONDS + MINUTE_OF_SWEEP)

    assert (ended["status"], ended["errorCode"]) == ("TIMED_OUT", "EXECUTION_TIMED_OUT")
    assert len(case.jobs()) == 1


@pytest.mark.parametrize("variant", ["500", "502", "524"])
def test_f17_status_that_fails_for_minutes_delays_the_result_only(case: Case, variant: str) -> None:
    case.is_impatient()
    case.fault("F17", variant=variant, seconds=180)

    run = case.run()

    assert case.ended(run, within=180 + 60)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_runpod_down_for_good_ends_the_run_at_its_bound(case: Case) -> None:
    case.is_impatient()
    case.works_for(5)
    case.fault("F17", seconds=1_000_000)

    run = case.run()
    ended = case.ended(run, within=RUN_SECONDS + MINUTE_OF_SWEEP)

    assert (ended["status"], ended["errorCode"]) == ("TIMED_OUT", "EXECUTION_EXPIRED")


@pytest.mark.parametrize("variant", ["unknown_status", "extra_fields", "no_delay_time"])
def test_f18_a_job_object_that_nobody_announced_is_read_all_the_same(
    case: Case, variant: str
) -> None:
    case.works_for(30)
    case.fault("F18", variant=variant)

    run = case.run()
    case.world.advance(15)
    assert case.shown(run)["status"] in {"QUEUED", "RUNNING"}

    assert case.ended(run, within=30)["status"] == "COMPLETED"


def test_poller_crashes_and_its_lease_ends(case: Case) -> None:
    case.fault("F1")
    case.works_for(5)
    run = case.run()
    case.lose_tasks()
    case.world.advance(15)
    with case.world.runtime.db.step() as connection:
        tick = queries.tick(connection, uuid.UUID(run), case.world.clock.now())
    assert tick.action == "look"  # and then the process is gone

    assert case.ended(run, within=90)["status"] == "COMPLETED"


def test_worker_result_upload_fails_and_the_run_times_out_though_it_was_done(case: Case) -> None:
    case.works_for(5)
    case.fault("F12")

    run = case.run()

    assert case.ended(run, within=ATTEMPT_SECONDS + MINUTE_OF_SWEEP)["status"] == "TIMED_OUT"
