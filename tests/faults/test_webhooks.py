"""RunPod's webhooks lost, late, repeated, out of order and forged (runpod.md 2.4, F1-F3, F20)."""

import uuid

import pytest
import requests

from common.executions import service as executions
from tests.faults.case import Case, at_once
from tests.world import SDXL_OUTPUT


def test_webhook_before_id_stored_is_applied(case: Case) -> None:
    case.fault("F2", variant="before_reply")

    run = case.run()

    assert case.shown(run)["status"] == "COMPLETED"
    assert case.attempts() == ["completed"]
    assert case.wait_for_webhooks()[0]["webhooks"][0]["answer"] == 200


def test_a_failure_reported_before_the_reply_to_run_is_not_shown_as_waiting_for_a_gpu(
    case: Case,
) -> None:
    """The attempt is over by then and the next one has not begun: queued would go back later."""
    case.fault("F2", variant="before_reply")
    case.works_for(5)
    case.simulator.behave(case.endpoint, {"mode": "instant", "error": "CUDA error"}, next=1)

    started = case.consumer.ok(
        "POST", f"/api/marketplace/models/{case.model.slug}/run", {"inputs": {"prompt": "a lamp"}}
    )

    case.runs.append(started["executionId"])
    assert case.attempts() == ["failed"]
    assert started["status"] == case.shown(started["executionId"])["status"] == "PENDING"
    assert case.ended(started["executionId"], within=60)["status"] == "COMPLETED"


def test_webhook_lost_all_3_times_is_replaced_by_a_poll(case: Case) -> None:
    case.fault("F1")
    case.works_for(5)

    run = case.run()

    assert case.ended(run, within=30)["status"] == "COMPLETED"
    assert case.events()[-1] == ("poll:COMPLETED", "completed")


@pytest.mark.parametrize("variant", ["twice", "late", "after_retries"])
def test_webhook_duplicated_or_late_has_no_second_effect(case: Case, variant: str) -> None:
    case.fault("F2", variant=variant, seconds=40)

    run = case.run()
    assert case.ended(run, within=30)["status"] == "COMPLETED"
    case.world.advance(60)

    (job,) = case.jobs()
    assert [hook["answer"] for hook in job["webhooks"] if hook["kind"] != "withheld"] == [200] * (
        2 if variant == "twice" else 1
    )
    assert case.effects().count("completed") == 1


def test_webhooks_reordered_settle_each_its_own_run(case: Case) -> None:
    case.fault("F2", variant="reordered", indexes=[0], seconds=600)

    first, second = case.run(), case.run()
    case.wait_for_webhooks(count=2)

    assert case.shown(first)["status"] == case.shown(second)["status"] == "COMPLETED"
    assert case.effects() == ["completed", "completed"]


@pytest.mark.parametrize("variant", ["wrong_token", "other_job", "changed_output"])
def test_f3_webhook_forged_changes_nothing(case: Case, variant: str) -> None:
    case.works_for(5)
    case.fault("F3", variant=variant)

    run = case.run()
    ended = case.ended(run, within=30)

    (job,) = case.wait_for_webhooks(kind="forged")
    forged = next(hook for hook in job["webhooks"] if hook["kind"] == "forged")
    assert forged["answer"] == (404 if variant == "wrong_token" else 200)
    assert ended["outputPayload"]["seed"] == 7
    assert ended["outputPayload"]["outputs"][0]["mime"] == "image/png"
    assert case.effects().count("completed") == 1


def test_webhook_forged_with_the_right_token_does_not_end_a_run_that_goes_on(case: Case) -> None:
    case.works_for(20)
    run = case.run()
    (job,) = case.jobs()

    answer = case.callback(job, status="COMPLETED", output=SDXL_OUTPUT)

    assert answer.status_code == 200
    assert case.shown(run)["completedAt"] is None
    assert case.ended(run, within=30)["status"] == "COMPLETED"


def test_webhook_forged_with_the_right_token_and_another_runs_job_steals_nothing(
    case: Case,
) -> None:
    """A worker knows its own callback URL; an orphan's job id is not known to us yet."""
    other = case.run()
    assert case.world.ended(case.consumer, other)["status"] == "COMPLETED"
    case.works_for(20)
    case.fault("F4")
    run = case.run()
    finished, orphan = case.jobs()

    answer = case.callback(orphan, id=finished["id"], status="COMPLETED")

    assert answer.status_code == 200
    assert case.shown(run)["completedAt"] is None
    assert case.events()[-1] == ("callback:COMPLETED", "mismatch")
    assert case.ended(run, within=45)["status"] == "COMPLETED"
    assert len(case.jobs()) == 2


def test_webhook_forged_with_an_invented_job_does_not_keep_the_true_one_out(case: Case) -> None:
    case.works_for(20)
    case.fault("F4")
    run = case.run()
    (orphan,) = case.jobs()

    assert case.callback(orphan, id=f"{uuid.uuid4()}-u1").status_code == 200

    assert case.ended(run, within=45)["status"] == "COMPLETED"
    assert case.attempts() == ["completed"]


@pytest.mark.parametrize(
    "path",
    [
        "{uuid}/token",
        "not-a-uuid/token",
        "{attempt}/wrong",
        "{attempt}",
    ],
)
def test_webhook_for_an_unknown_url_is_not_found(case: Case, path: str) -> None:
    run = case.run()
    case.ended(run, within=30)
    (row,) = case.world.sql("SELECT id FROM attempts")
    url = path.format(uuid=uuid.uuid4(), attempt=row.id)

    answer = requests.post(
        f"{case.world.base}/api/webhooks/runpod/{url}",
        json={"id": case.jobs()[0]["id"], "status": "COMPLETED"},
        timeout=10,
    )

    assert answer.status_code == 404


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"id": 7}', b'{"id": null}', b"\xff\xfe"])
def test_webhook_with_a_strange_body_is_no_server_error(case: Case, body: bytes) -> None:
    case.works_for(5)
    run = case.run()
    (job,) = case.jobs()

    answer = requests.post(
        job["webhook"], data=body, headers={"Content-Type": "application/json"}, timeout=10
    )

    assert answer.status_code in {200, 400}
    assert case.ended(run, within=30)["status"] == "COMPLETED"


def test_webhook_handler_crashing_after_commit_is_sent_again_and_changes_nothing(
    case: Case,
) -> None:
    run = case.run()
    before = case.world.ended(case.consumer, run)
    (job,) = case.wait_for_webhooks()

    answers = [case.callback(job).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert case.shown(run)["completedAt"] == before["completedAt"]
    assert case.effects() == ["completed"]


def test_poll_and_webhook_race_and_one_settles(case: Case) -> None:
    case.fault("F1")
    run = case.run()
    (job,) = case.jobs()
    case.only_ours(12)

    at_once(
        lambda: executions.watch(case.world.runtime, uuid.UUID(run)),
        lambda: case.callback(job),
        lambda: case.callback(job),
        lambda: case.consumer.ok("GET", f"/api/marketplace/runs/{run}/status?sync=true"),
    )

    assert case.shown(run)["status"] == "COMPLETED"
    assert case.effects().count("completed") == 1
    assert set(case.effects()) <= {"completed", "late"}


def test_f20_webhook_body_of_24_mb_is_taken(case: Case) -> None:
    case.fault("F20")

    run = case.run()
    (job,) = case.wait_for_webhooks()

    assert job["webhooks"][0]["answer"] == 200
    assert case.shown(run)["status"] == "COMPLETED"


def test_p6_a_job_that_the_platform_runs_twice_is_paid_once(patient_case: Case) -> None:
    case = patient_case
    case.works_for(5)
    case.fault("F10")
    case.fault("F2", variant="twice")

    run = case.run()

    assert case.ended(run, within=90)["status"] == "COMPLETED"
    (job,) = case.jobs()
    assert (job["runs"], job["retries"]) == (2, 1)
