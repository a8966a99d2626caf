"""Results that cannot be had, kept or understood: F15, F19, P14, P15, and our own storage away."""

import threading
from http.server import BaseHTTPRequestHandler

import pytest
import requests

from common.executions.media import MAX_MEDIUM_BYTES
from tests.executions.recorded import VLLM_NEW_CHAT, VLLM_OLD, png
from tests.faults.case import MINUTE_OF_SWEEP, Case
from tests.gateways.origin import Origin, reply
from tests.world import World

TEN_MINUTES, HALF_AN_HOUR = 600, 1800


@pytest.mark.parametrize(
    ("variant", "code"),
    [
        ("expired", "OUTPUT_UNREACHABLE"),
        ("forbidden", "OUTPUT_UNREACHABLE"),
        ("broken_base64", "OUTPUT_UNREADABLE"),
        ("wrong_mime", "OUTPUT_WRONG_TYPE"),
    ],
)
def test_f15_p14_media_that_cannot_be_had_fail_the_run(case: Case, variant: str, code: str) -> None:
    case.trusts(case.simulator.address)
    case.fault("F15", variant=variant)

    run = case.run()
    ended = case.ended(run, within=30)

    assert (ended["status"], ended["errorCode"]) == ("FAILED", code)
    assert len(case.jobs()) == 1


def test_a_link_into_our_own_network_is_not_followed(case: Case, origin: Origin) -> None:
    case.answers({"images": [f"{origin.url}/internal.png"]})

    run = case.run()

    assert case.ended(run, within=30)["errorCode"] == "OUTPUT_UNREACHABLE"
    assert origin.seen == []


def test_a_linked_result_is_kept_by_us_before_its_link_expires(case: Case, origin: Origin) -> None:
    case.trusts(origin.url)
    origin.always(png(), Content_Type="image/png")
    case.answers({"images": [f"{origin.url}/a.png"], "image_url": f"{origin.url}/a.png"})

    run = case.run()
    ended = case.ended(run, within=30)
    origin.always(b"", status=403)

    url = ended["outputPayload"]["image_url"]
    assert requests.get(url, timeout=10).content == png()
    assert origin.url not in str(ended)


def test_a_linked_result_that_is_too_large_fails_the_run(case: Case, origin: Origin) -> None:
    case.trusts(origin.url)
    origin.always(b"", Content_Length=str(MAX_MEDIUM_BYTES + 1))
    case.answers({"images": [f"{origin.url}/huge.png"]})

    run = case.run()

    assert case.ended(run, within=30)["errorCode"] == "OUTPUT_TOO_LARGE"


def test_a_callback_is_answered_before_a_slow_link_is_fetched(case: Case, origin: Origin) -> None:
    """RunPod waits about 10 s for an answer; fetching may take a minute."""
    let_go = threading.Event()

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        let_go.wait(10)
        reply(handler, png())

    origin.answer = slowly
    case.trusts(origin.url)
    case.answers({"images": [f"{origin.url}/slow.png"]})

    run = case.run()
    (job,) = case.wait_for_webhooks()

    assert job["webhooks"][0]["answer"] == 200
    assert origin.seen == []
    assert case.shown(run)["status"] == "RUNNING"
    let_go.set()
    case.world.tasks.deliver_all_due(case.world.clock.now())
    assert case.shown(run)["status"] == "COMPLETED"


def test_a_waiting_client_is_answered_before_a_slow_link_is_fetched(
    case: Case, origin: Origin
) -> None:
    case.fault("F1")
    case.trusts(origin.url)
    origin.always(png())
    case.answers({"images": [f"{origin.url}/slow.png"]})
    run = case.run()
    case.only_ours(5)

    status = case.consumer.ok("GET", f"/api/marketplace/runs/{run}/status?sync=true")
    cancelled = case.cancel(run)

    assert origin.seen == []
    assert status["completedAt"] is None
    assert cancelled.json()["data"]["status"] == "RUNNING"
    case.world.tasks.deliver_all_due(case.world.clock.now())
    assert case.shown(run)["status"] == "COMPLETED"  # it was done before the cancel


def test_an_orphan_whose_linked_result_comes_first_still_wins(
    patient_case: Case, origin: Origin
) -> None:
    case = patient_case
    case.trusts(origin.url)
    origin.always(png())
    case.works_for(150, output={"images": [f"{origin.url}/orphan.png"]})
    case.fault("F4", indexes=[0])

    run = case.run()

    assert case.ended(run, within=180)["status"] == "COMPLETED"
    assert case.attempts() == ["completed", "submitted"]


def test_a_link_that_stays_dead_fails_the_run_within_minutes(
    patient_case: Case, origin: Origin
) -> None:
    case = patient_case
    case.trusts(origin.url)
    origin.always(b"", status=503)
    case.answers({"images": [f"{origin.url}/dead.png"]})

    run = case.run()
    case.world.advance(TEN_MINUTES - 60, step=60, sweep=True)
    assert case.shown(run)["completedAt"] is None
    ended = case.ended(run, within=60 + MINUTE_OF_SWEEP)

    assert (ended["status"], ended["errorCode"]) == ("FAILED", "OUTPUT_UNREACHABLE")
    assert len(case.jobs()) == 1


def test_a_link_that_comes_back_is_delivered(patient_case: Case, origin: Origin) -> None:
    case = patient_case
    case.trusts(origin.url)
    origin.always(b"", status=503)
    case.answers({"images": [f"{origin.url}/back.png"]})
    run = case.run()
    case.world.advance(240, step=60, sweep=True)
    assert case.shown(run)["completedAt"] is None

    origin.always(png())

    assert case.ended(run, within=60)["status"] == "COMPLETED"


def test_storage_down_while_completing_and_back_loses_nothing(case: Case) -> None:
    case.storage_is_down()
    run = case.run()
    (job,) = case.wait_for_webhooks()
    case.world.advance(30, sweep=True)
    assert job["webhooks"][0]["answer"] == 200
    assert case.shown(run)["billing"]["state"] == "HELD"

    case.storage_is_back()

    assert case.ended(run, within=60)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_storage_down_for_good_releases_before_runpod_forgets_the_result(
    patient_case: Case,
) -> None:
    case = patient_case
    case.storage_is_down()
    run = case.run()

    ended = case.ended(run, within=HALF_AN_HOUR, step=60)

    assert (ended["status"], ended["errorCode"]) == ("FAILED", "OUTPUT_UNREACHABLE")
    assert len(case.jobs()) == 1


@pytest.mark.parametrize("output", [VLLM_OLD, VLLM_NEW_CHAT], ids=["old first", "new first"])
def test_f19_p15_old_and_new_shapes_of_a_worker_alternate_and_read_the_same(
    world: World, output: object
) -> None:
    case = Case(
        world, category="TEXT", outputType="TEXT", outputFormat="text", outputAdapter="vllm"
    )
    case.answers(output)
    case.fault("F19")

    runs = [case.ended(case.run(), within=30) for _ in range(3)]

    assert {run["outputPayload"]["text"] for run in runs} == {"Because of scattering."}
    case.audit()


def test_f19_p15_a_picture_in_either_shape_is_the_same_picture(case: Case) -> None:
    case.fault("F19")

    runs = [case.ended(case.run(), within=30) for _ in range(2)]

    assert len({run["outputPayload"]["outputs"][0]["sha256"] for run in runs}) == 1
