"""Each fault F1 to F20 of runpod.md 6.4, seen from outside."""

import base64
import threading
from typing import Any

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.faults import FAULTS
from tests.local.runpod.receiver import Receiver
from tests.local.runpod.submitting import run, status

PIXELS = base64.b64encode(bytes(range(256))).decode()
OLD_VLLM = [{"choices": [{"tokens": ["so"]}], "usage": {"input": 1, "output": 1}}]


@pytest.fixture(autouse=True)
def instant(sim: SimulatorClient) -> None:
    sim.behave("ep", mode="instant", output={"images": [f"data:image/png;base64,{PIXELS}"]})


def test_every_fault_of_the_table_is_known_and_explained(sim: SimulatorClient) -> None:
    assert list(FAULTS) == [f"F{number}" for number in range(1, 21)]
    assert all(row["meaning"] and row["seenIn"] for row in sim.faults()["table"].values())


def test_f1_sends_no_webhook(sim: SimulatorClient, api: httpx.Client, receiver: Receiver) -> None:
    sim.fault("ep", "F1")
    job = run(api, receiver.url("t"))
    sim.advance(60)
    assert receiver.calls == []
    assert status(api, job)["status"] == "COMPLETED"
    assert [w["kind"] for w in sim.jobs("ep")[0]["webhooks"]] == ["withheld"]


def test_f2_sends_a_webhook_twice(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F2", variant="twice")
    run(api, receiver.url("t"))
    first, second = receiver.wait_for(2)
    assert first.body == second.body


def test_f2_sends_a_webhook_late(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F2", variant="late", seconds=90)
    run(api, receiver.url("t"))
    sim.advance(89)
    assert receiver.calls == []
    sim.advance(2)
    assert len(receiver.calls) == 1


def test_f2_sends_only_the_last_of_three_webhooks(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F2", variant="after_retries")
    run(api, receiver.url("t"))
    sim.advance(19)
    assert receiver.calls == []
    sim.advance(2)
    assert len(receiver.calls) == 1
    kinds = [w["kind"] for w in sim.jobs("ep")[0]["webhooks"]]
    assert kinds == ["withheld", "withheld", "true"]


def test_f2_delivers_the_webhook_before_run_is_answered(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F2", variant="before_reply")
    job = run(api, receiver.url("t"))
    assert [call.body["id"] for call in receiver.calls] == [job]


def test_f2_reorders_webhooks(sim: SimulatorClient, api: httpx.Client, receiver: Receiver) -> None:
    sim.fault("ep", "F2", variant="reordered", next=1)
    first, second = run(api, receiver.url("1")), run(api, receiver.url("2"))
    calls = receiver.wait_for(2)
    assert [call.body["id"] for call in calls] == [second, first]


def test_f2_lets_a_held_webhook_go_when_no_other_comes(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F2", variant="reordered", seconds=30)
    run(api, receiver.url("1"))
    sim.advance(31)
    assert len(receiver.calls) == 1


def test_f3_forges_a_webhook_with_a_wrong_token(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F3", variant="wrong_token")
    run(api, receiver.url("0123456789abcdef"))
    paths = {call.path for call in receiver.wait_for(2)}
    assert len(paths) == 2
    assert "/hook/0123456789abcdef" in paths


def test_f3_forges_a_webhook_with_another_jobs_id(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    victim = run(api)
    sim.fault("ep", "F3", variant="other_job", job_id=victim)
    job = run(api, receiver.url("t"))
    assert {call.body["id"] for call in receiver.wait_for(2)} == {victim, job}


def test_f3_forges_a_webhook_with_a_changed_output(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.behave("ep", mode="instant", error="no picture")
    sim.fault("ep", "F3", variant="changed_output", output={"images": ["mine"]})
    job = run(api, receiver.url("t"))
    states = sorted(call.body["status"] for call in receiver.wait_for(2))
    assert states == ["COMPLETED", "FAILED"]
    assert status(api, job)["status"] == "FAILED"


def test_f4_accepts_the_job_and_drops_the_connection(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.fault("ep", "F4", next=1)
    with pytest.raises(httpx.TransportError):
        run(api)
    orphan = sim.jobs("ep")[0]
    assert status(api, orphan["id"])["status"] == "COMPLETED"
    run(api)


@pytest.mark.parametrize("code", [502, 429])
def test_f5_refuses_a_submission(sim: SimulatorClient, api: httpx.Client, code: int) -> None:
    sim.fault("ep", "F5", variant=str(code), next=1)
    assert api.post("/run", json={"input": {"a": 1}}).status_code == code
    assert sim.jobs("ep") == []
    assert sim.endpoints()["ep"]["counters"]["refused"] == 1
    run(api)


def test_f5_may_have_created_the_job_all_the_same(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F5", variant="502", created=True)
    assert api.post("/run", json={"input": {"a": 1}}).status_code == 502
    assert len(sim.jobs("ep")) == 1


def test_f5_keeps_a_submission_without_an_answer(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F5", variant="timeout", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        api.post("/run", json={"input": {"a": 1}}, timeout=0.2)
    assert sim.jobs("ep") == []


@pytest.mark.parametrize(
    ("cause", "counter"),
    [
        ("no_workers", None),
        ("throttled", "throttled"),
        ("unhealthy", "unhealthy"),
        ("initializing", "initializing"),
    ],
)
def test_f6_leaves_the_job_in_the_queue_and_health_says_why(
    sim: SimulatorClient, api: httpx.Client, cause: str, counter: str | None
) -> None:
    sim.fault("ep", "F6", variant=cause)
    job = run(api)
    sim.advance(3600)
    assert status(api, job) == {"id": job, "status": "IN_QUEUE"}
    health = api.get("/health").json()
    assert health["jobs"]["inQueue"] == 1
    assert {name for name, number in health["workers"].items() if number} == {counter} - {None}
    sim.mend("ep", "F6")
    assert status(api, job)["status"] == "COMPLETED"


def test_f7_hangs_in_progress_with_an_error_in_the_output(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.fault("ep", "F7")
    job = run(api)
    sim.advance(3600)
    hung = status(api, job)
    assert hung["status"] == "IN_PROGRESS"
    assert "CUDA error" in hung["output"]["error"]
    assert api.post(f"/cancel/{job}").json()["status"] == "CANCELLED"


def test_f8_completes_without_output(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F8")
    job = run(api, receiver.url("t"))
    assert status(api, job)["status"] == "COMPLETED"
    assert "output" not in status(api, job)
    assert "output" not in receiver.wait_for(1)[0].body


@pytest.mark.parametrize("variant", FAULTS["F9"].variants)
def test_f9_completes_with_an_output_that_says_error(
    sim: SimulatorClient, api: httpx.Client, variant: str
) -> None:
    sim.fault("ep", "F9", variant=variant)
    final = status(api, run(api))
    assert final["status"] == "COMPLETED"
    assert "error" in str(final["output"]).lower()
    assert "error" not in final


def test_f10_runs_the_job_twice(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="script", queue_ms=1000, run_ms=2000, output=1)
    sim.fault("ep", "F10")
    job = run(api)
    sim.advance(4)
    assert status(api, job)["status"] == "IN_PROGRESS"
    first_delay = status(api, job)["delayTime"]
    sim.advance(60)
    final = status(api, job)
    assert (final["status"], final["retries"]) == ("COMPLETED", 1)
    assert final["delayTime"] > first_delay + 40_000
    assert sim.jobs("ep")[0]["runs"] == 2
    assert api.get("/health").json()["jobs"]["retried"] == 1


def test_f11_gives_the_job_up_after_its_second_run(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F11")
    job = run(api)
    sim.advance(120)
    final = status(api, job)
    assert final["status"] == "FAILED"
    assert final["error"] == "job timed out after 1 retries"
    assert sim.jobs("ep")[0]["runs"] == 2


@pytest.mark.parametrize("verdict", ["FAILED", "TIMED_OUT"])
def test_f12_exceeds_the_execution_timeout_and_is_stopped_late(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver, verdict: str
) -> None:
    sim.fault("ep", "F12", variant=verdict)
    job = run(api, receiver.url("t"), executionTimeout=5_000)
    sim.advance(7.9)
    assert status(api, job)["status"] == "IN_PROGRESS"
    sim.advance(7.2)
    final = status(api, job)
    assert (final["status"], final["error"]) == (verdict, "executionTimeout exceeded")
    assert receiver.wait_for(1)[0].body["status"] == verdict


def test_f13_hides_a_fresh_job_for_a_while(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F13", variant="propagation", seconds=150)
    job = run(api)
    reply = api.get(f"/status/{job}")
    assert reply.status_code == 404
    assert reply.json()["status"] == 404
    sim.advance(151)
    assert status(api, job)["status"] == "COMPLETED"


def test_f13_loses_a_result_as_if_its_retention_were_over(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F13", variant="retention")
    job = run(api, receiver.url("t"))
    assert api.get(f"/status/{job}").status_code == 404
    assert receiver.wait_for(1)[0].body["status"] == "COMPLETED"


def test_f13_deletes_a_running_job(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="script", run_ms=60_000, output=1)
    sim.fault("ep", "F13", variant="ttl", seconds=5)
    job = run(api)
    assert status(api, job)["status"] == "IN_PROGRESS"
    sim.advance(6)
    assert api.get(f"/status/{job}").status_code == 404


def test_f14_overwrites_the_final_result_with_progress(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.fault("ep", "F14", seconds=3)
    job = run(api)
    assert status(api, job)["status"] == "COMPLETED"
    sim.advance(4)
    overwritten = status(api, job)
    assert (overwritten["status"], overwritten["output"]) == ("IN_PROGRESS", "95%")
    assert "executionTime" in overwritten


@pytest.mark.parametrize("variant", ["expired", "forbidden"])
def test_f15_links_to_media_that_are_refused(
    sim: SimulatorClient, api: httpx.Client, variant: str
) -> None:
    sim.behave("ep", mode="instant", output={"image_url": "https://bucket.example/a.png?sig=1"})
    sim.fault("ep", "F15", variant=variant)
    url = status(api, run(api))["output"]["image_url"]
    refusal = httpx.get(url)
    assert refusal.status_code == 403
    assert "AccessDenied" in refusal.text


def test_f15_breaks_base64(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F15", variant="broken_base64")
    image = status(api, run(api))["output"]["images"][0]
    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(image.removeprefix("data:image/png;base64,"), validate=True)


def test_f15_sends_a_page_instead_of_a_picture(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", output=[PIXELS, {"url": "https://bucket.example/a.png"}])
    sim.fault("ep", "F15", variant="wrong_mime")
    inline, linked = status(api, run(api))["output"]
    assert base64.b64decode(inline).startswith(b"<!doctype html>")
    page = httpx.get(linked["url"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html")


def test_f16_lets_a_cancelled_job_complete(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.behave("ep", mode="script", run_ms=10_000, output=1)
    sim.fault("ep", "F16")
    job = run(api, receiver.url("t"))
    assert api.post(f"/cancel/{job}").json() == {"id": job, "status": "CANCELLED"}
    sim.advance(11)
    assert status(api, job)["status"] == "COMPLETED"
    assert receiver.wait_for(1)[0].body["status"] == "COMPLETED"


@pytest.mark.parametrize("code", [500, 502, 524])
def test_f17_answers_status_with_5xx_for_a_while(
    sim: SimulatorClient, api: httpx.Client, code: int
) -> None:
    job = run(api)
    sim.fault("ep", "F17", variant=str(code), seconds=180)
    assert api.get(f"/status/{job}").status_code == code
    sim.advance(179)
    assert api.get(f"/status/{job}").status_code == code
    sim.advance(2)
    assert status(api, job)["status"] == "COMPLETED"


def test_f18_answers_an_unknown_status_until_the_end(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.behave("ep", mode="script", queue_ms=1000, run_ms=1000, output=1)
    sim.fault("ep", "F18", variant="unknown_status")
    job = run(api)
    assert status(api, job)["status"] == "WARMING"
    assert sim.jobs("ep")[0]["status"] == "IN_QUEUE"
    sim.advance(3)
    assert status(api, job)["status"] == "COMPLETED"


def test_f18_adds_fields_and_leaves_fields_out(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F18", variant="extra_fields", next=1)
    job = run(api, receiver.url("t"))
    assert "schemaVersion" in status(api, job)
    assert "schemaVersion" in receiver.wait_for(1)[0].body
    sim.fault("ep", "F18", variant="no_delay_time")
    assert "delayTime" not in status(api, run(api))


@pytest.mark.parametrize(
    "output",
    [
        OLD_VLLM,
        [{"choices": [{"message": {"content": "so"}}], "usage": {"prompt_tokens": 1}}],
        {"images": [f"data:image/png;base64,{PIXELS}"], "seed": 1},
        {"images": [{"image": PIXELS, "seed": 1}]},
        {"images": [{"filename": "a.png", "type": "base64", "data": PIXELS}]},
        {"audio_base64": PIXELS, "format": "wav"},
        {"segments": []},
    ],
)
def test_f19_alternates_between_two_output_shapes(
    sim: SimulatorClient, api: httpx.Client, output: Any
) -> None:
    sim.behave("ep", mode="instant", output=output)
    sim.fault("ep", "F19")
    shapes = [status(api, run(api))["output"] for _ in range(4)]
    assert shapes[0] == shapes[2] == output
    assert shapes[1] == shapes[3] != output


def test_f19_knows_both_generations_of_vllm(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", output=OLD_VLLM)
    sim.fault("ep", "F19")
    run(api)
    (new,) = status(api, run(api))["output"]
    assert new["choices"][0]["message"]["content"] == "so"
    assert new["usage"]["total_tokens"] == 2


def test_f20_sends_a_webhook_of_24_mb(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F20")
    job = run(api, receiver.url("t"))
    assert receiver.wait_for(1)[0].size > 24 * 1024**2
    assert len(str(status(api, job))) < 1000


def test_a_fault_strikes_the_next_jobs_only(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F8", next=2)
    bare = ["output" not in status(api, run(api)) for _ in range(4)]
    assert bare == [True, True, False, False]
    assert sim.faults()["struck"] == [{"endpoint": "ep", "fault": "F8", "times": 2}]


def test_a_fault_strikes_chosen_jobs_by_index(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F8", indexes=[1, 3])
    bare = ["output" not in status(api, run(api)) for _ in range(5)]
    assert bare == [False, True, False, True, False]


def test_a_fault_of_one_endpoint_leaves_the_others_alone(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.add_endpoint("other")
    sim.fault("other", "F8")
    assert "output" in status(api, run(api))
    sim.fault(None, "F8")
    assert "output" not in status(api, run(api))


def test_the_seed_decides_which_jobs_a_probable_fault_strikes(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    def pattern(seed: int) -> list[bool]:
        sim.reset()
        sim.set_seed(seed)
        sim.behave("ep", mode="instant", output=1)
        sim.fault("ep", "F8", probability=0.5)
        return ["output" not in status(api, run(api)) for _ in range(24)]

    first = pattern(7)
    assert pattern(7) == first
    assert pattern(8) != first
    assert 4 <= sum(first) <= 20


def test_the_seed_decides_alike_whatever_the_order_of_requests(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    def struck() -> set[int]:
        sim.reset()
        sim.behave("ep", mode="instant", output=1)
        sim.fault("ep", "F8", probability=0.5)
        threads = [threading.Thread(target=run, args=(api,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {job["index"] for job in sim.jobs("ep") if "output" not in job}

    assert struck() == struck()


@pytest.mark.parametrize(("fault", "variant"), [("F21", None), ("F2", "never")])
def test_an_unknown_fault_or_variant_is_refused(
    sim: SimulatorClient, fault: str, variant: str | None
) -> None:
    with pytest.raises(ValueError, match=r"no (fault|variant)|has no variant"):
        sim.fault("ep", fault, variant=variant)
