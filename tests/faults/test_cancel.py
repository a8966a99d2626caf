"""A consumer stops a run: in every phase, twice, too late, and against RunPod's will."""

import uuid
from functools import partial

import pytest

from common.executions import service as executions
from tests.faults.case import ATTEMPT_SECONDS, MINUTE_OF_SWEEP, RUN_SECONDS, Case, at_once


def test_a_run_that_waits_for_its_first_submit_is_cancelled_at_once(case: Case) -> None:
    run = case.start_only()

    answer = case.cancel(run)

    assert answer.json()["data"]["status"] == "CANCELLED"
    assert case.balance() == 100
    case.world.advance(60, sweep=True)
    assert case.jobs() == []


def test_a_run_that_waits_for_another_try_is_cancelled_at_once(case: Case) -> None:
    case.fault("F5", variant="429")
    run = case.run()

    assert case.cancel(run).json()["data"]["status"] == "CANCELLED"

    case.world.advance(60, sweep=True)
    assert case.attempts() == ["failed"]


def test_a_run_whose_submit_is_on_its_way_is_cancelled_when_its_job_is_known(case: Case) -> None:
    case.works_for(25)
    run = case.start_only()
    attempt, job_id = case.post_only(run)

    answer = case.cancel(run)
    assert answer.status_code == 200
    assert answer.json()["data"]["status"] == "PENDING"
    case.wake_up(attempt, job_id)

    assert case.ended(run, within=30)["status"] == "CANCELLED"
    assert [job["status"] for job in case.jobs()] == ["CANCELLED"]


def test_a_run_whose_submit_never_left_is_cancelled_after_the_grace(case: Case) -> None:
    run = case.start_only()
    case.begin_only(run)

    assert case.cancel(run).status_code == 200

    assert case.ended(run, within=90 + MINUTE_OF_SWEEP)["status"] == "CANCELLED"
    assert case.jobs() == []


def test_a_queued_run_is_cancelled_at_runpod_too(case: Case) -> None:
    case.fault("F6", variant="throttled")
    run = case.run()

    answer = case.cancel(run)

    assert answer.json()["data"] == {
        "id": run,
        "status": "CANCELLED",
        "message": "Your run is cancelled. Your credits are back.",
    }
    assert [job["status"] for job in case.jobs()] == ["CANCELLED"]
    assert case.balance() == 100


def test_a_running_run_is_cancelled_at_runpod_too(case: Case) -> None:
    case.works_for(25)
    run = case.run()
    case.world.advance(15)
    assert case.shown(run)["status"] == "RUNNING"

    assert case.cancel(run).json()["data"]["status"] == "CANCELLED"

    assert [job["status"] for job in case.jobs()] == ["CANCELLED"]
    case.world.advance(60, sweep=True)
    assert len(case.jobs()) == 1


def test_cancelling_again_is_harmless(case: Case) -> None:
    case.works_for(25)
    run = case.run()

    answers = [case.cancel(run) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert {answer.json()["data"]["status"] for answer in answers} == {"CANCELLED"}


@pytest.mark.parametrize("ending", ["COMPLETED", "FAILED", "TIMED_OUT"])
def test_a_run_that_has_ended_cannot_be_cancelled(case: Case, ending: str) -> None:
    if ending != "COMPLETED":
        case.fault("F8" if ending == "FAILED" else "F12")
    case.works_for(5)
    run = case.run()
    assert case.ended(run, within=60)["status"] == ending

    answer = case.cancel(run)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "EXECUTION_ENDED")
    assert case.shown(run)["status"] == ending


def test_anothers_run_cannot_be_cancelled_nor_told_from_none(case: Case) -> None:
    case.works_for(5)
    run = case.run()
    stranger = case.world.consumer()

    theirs = stranger.call("POST", f"/api/marketplace/runs/{run}/cancel")
    nobodys = stranger.call("POST", f"/api/marketplace/runs/{uuid.uuid4()}/cancel")

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["error"]["message"] == nobodys.json()["error"]["message"]
    assert case.ended(run, within=30)["status"] == "COMPLETED"


def test_f16_a_cancel_that_loses_the_race_is_a_completed_run_and_charged(case: Case) -> None:
    case.works_for(20)
    case.fault("F16")
    run = case.run()
    case.world.advance(5)

    answer = case.cancel(run)
    assert answer.json()["data"]["status"] == "RUNNING"

    assert case.ended(run, within=45)["status"] == "COMPLETED"


def test_a_job_that_finished_before_the_cancel_is_a_completed_run(case: Case) -> None:
    case.fault("F1")
    run = case.run()

    assert case.cancel(run).json()["data"]["status"] == "COMPLETED"
    assert case.balance() == 90


def test_cancel_lost_is_sent_again_within_a_minute(case: Case) -> None:
    case.works_for(29)
    case.fault("F1")
    run = case.run()

    assert case.cancel_only(run) == "requested"

    assert case.ended(run, within=30)["status"] == "CANCELLED"
    assert [job["status"] for job in case.jobs()] == ["CANCELLED"]


def test_cancel_while_runpod_gives_no_status_waits_for_the_truth(case: Case) -> None:
    case.is_impatient()
    case.works_for(25)
    case.fault("F17", seconds=50)
    run = case.run()

    assert case.cancel(run).json()["data"]["status"] in {"QUEUED", "RUNNING"}

    assert case.ended(run, within=50 + 60)["status"] == "CANCELLED"


def test_cancel_while_runpod_is_down_for_good_ends_at_the_runs_bound(case: Case) -> None:
    case.is_impatient()
    case.works_for(25)
    case.fault("F17", seconds=1_000_000)
    run = case.run()
    case.cancel(run)

    assert case.ended(run, within=RUN_SECONDS + MINUTE_OF_SWEEP)["status"] == "CANCELLED"


def test_p16_a_job_that_ignores_the_cancel_is_watched_until_its_deadline(case: Case) -> None:
    case.works_for(25)
    case.fault("F16")
    case.fault("F12")
    run = case.run()
    case.cancel(run)

    ended = case.ended(run, within=ATTEMPT_SECONDS + MINUTE_OF_SWEEP)

    assert ended["status"] == "CANCELLED"


def test_a_failed_job_of_a_cancelled_run_is_not_tried_again(case: Case) -> None:
    case.simulator.behave(
        case.endpoint, {"mode": "script", "run_ms": 20_000, "error": "RuntimeError: boom"}
    )
    case.fault("F16")
    run = case.run()
    case.cancel(run)

    assert case.ended(run, within=45)["status"] == "CANCELLED"
    assert len(case.jobs()) == 1


def test_cancel_callback_and_poll_at_once_settle_once(case: Case) -> None:
    case.fault("F1")
    run = case.run()
    (job,) = case.jobs()
    case.only_ours(12)

    at_once(
        lambda: case.cancel(run),
        lambda: case.cancel(run),
        lambda: case.callback(job),
        lambda: executions.watch(case.world.runtime, uuid.UUID(run)),
    )

    assert case.shown(run)["status"] == "COMPLETED"
    assert case.effects().count("completed") == 1


def test_cancel_and_submit_at_once_leave_no_job_behind(case: Case) -> None:
    case.works_for(25)
    runs = [case.start_only() for _ in range(4)]

    for run in runs:
        at_once(
            partial(case.cancel, run),
            partial(executions.submit, case.world.runtime, uuid.UUID(run)),
        )

    assert {case.ended(run, within=60)["status"] for run in runs} == {"CANCELLED"}
    case.world.sweep()
    assert {job["status"] for job in case.jobs()} <= {"CANCELLED"}


def test_cancel_without_effect_is_repeated_twice_a_minute_however_long_the_run_is(
    patient_case: Case,
) -> None:
    case = patient_case
    case.works_for(500)
    case.fault("F16")
    run = case.run()
    case.world.advance(400)
    case.cancel(run)
    before = case.polls()

    case.world.advance(35, step=5)

    assert case.polls() > before
    assert case.ended(run, within=120)["status"] == "COMPLETED"
