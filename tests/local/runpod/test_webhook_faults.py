"""Faults of the webhook: F1, F2, F3 and F20 of runpod.md 6.4."""

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from tests.local.runpod.receiver import Receiver
from tests.local.runpod.submitting import run, status


@pytest.fixture(autouse=True)
def instant(sim: SimulatorClient) -> None:
    sim.behave("ep", mode="instant", output={"x": 1})


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


def test_f20_sends_a_webhook_of_24_mb(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.fault("ep", "F20")
    job = run(api, receiver.url("t"))
    assert receiver.wait_for(1)[0].size > 24 * 1024**2
    assert len(str(status(api, job))) < 1000
