"""Webhooks as captured from the service (runpod.md 2.4)."""

import re

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from tests.local.runpod.receiver import Receiver
from tests.local.runpod.submitting import run, status


def test_a_webhook_carries_the_job_with_its_input_and_its_own_url(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.behave("ep", mode="instant", output={"x": 1})
    job = run(api, receiver.url("token"))
    call = receiver.wait_for(1)[0]
    assert call.body == status(api, job) | {
        "input": {"prompt": "a bridge"},
        "webhook": receiver.url("token"),
    }
    assert call.path == "/hook/token"
    assert call.headers["user-agent"] == "Go-http-client/2.0"
    assert call.headers["content-type"] == "application/json"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", call.headers["traceparent"])
    assert call.headers.keys().isdisjoint({"authorization", "x-runpod-signature"})


def test_a_failed_job_is_announced_too(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    sim.behave("ep", mode="instant", error="no")
    run(api, receiver.url("token"))
    assert receiver.wait_for(1)[0].body["error"] == "no"


def test_a_refused_webhook_is_repeated_after_five_and_twenty_seconds_then_given_up(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    receiver.answers = [500, 302, 404]
    sim.behave("ep", mode="instant", output=1)
    job = run(api, receiver.url("token"))
    receiver.wait_for(1)
    sim.advance(4.9)
    assert len(receiver.calls) == 1
    sim.advance(0.2)
    assert len(receiver.calls) == 2
    sim.advance(14.8)
    assert len(receiver.calls) == 2
    sim.advance(300)
    assert len(receiver.calls) == 3
    attempts = sim.jobs("ep")[0]["webhooks"]
    assert [attempt["answer"] for attempt in attempts] == [500, 302, 404]
    gaps = [attempt["at"] - attempts[0]["at"] for attempt in attempts]
    assert gaps == pytest.approx([0, 5, 20])
    assert status(api, job)["status"] == "COMPLETED"


def test_an_accepted_webhook_is_not_repeated(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver
) -> None:
    receiver.answers = [503]
    sim.behave("ep", mode="instant", output=1)
    run(api, receiver.url("token"))
    receiver.wait_for(1)
    sim.advance(300)
    assert len(receiver.calls) == 2


def test_a_receiver_that_is_down_is_noted(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.behave("ep", mode="instant", output=1)
    run(api, "http://127.0.0.1:1/nobody")
    sim.advance(30)
    attempts = sim.jobs("ep")[0]["webhooks"]
    assert len(attempts) == 3
    assert all(attempt["problem"] for attempt in attempts)


@pytest.mark.parametrize("announced", [False, True])
def test_whether_a_cancelled_job_is_announced_is_a_switch(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver, announced: bool
) -> None:
    sim.add_endpoint("ep", webhook_on_cancel=announced)
    job = run(api, receiver.url("token"))
    api.post(f"/cancel/{job}")
    sim.advance(30)
    assert [call.body["status"] for call in receiver.calls] == ["CANCELLED"] * announced


@pytest.mark.parametrize("announced", [False, True])
def test_whether_an_expired_job_is_announced_is_a_switch(
    sim: SimulatorClient, api: httpx.Client, receiver: Receiver, announced: bool
) -> None:
    sim.add_endpoint("ep", webhook_on_expiry=announced)
    run(api, receiver.url("token"), ttl=10_000)
    sim.advance(11)
    sim.advance(1)
    assert [call.body["status"] for call in receiver.calls] == ["TIMED_OUT"] * announced
