"""What a receiver is told, and what happens when it does not listen."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from common.events import queries as events
from common.gateways.outbound import Outbound
from tests.webhooks.receiver import Receiver
from tests.world import SDXL_OUTPUT, Caller, Model, World

HOOKS, EVENTS = "/api/marketplace/webhooks", "/api/marketplace/events"
HOUR = 3600.0


def hooked(owner: Caller, receiver: Receiver, **more: Any) -> dict[str, Any]:
    """A webhook of the owner's at this receiver."""
    made: dict[str, Any] = owner.ok("POST", HOOKS, {"url": receiver.url, **more})
    return made


def ran(world: World, owner: Caller, model: Model) -> str:
    """A run that has ended and whose deliveries that are due were made."""
    run = world.run(owner, model)
    world.ended(owner, run)
    world.tell()
    return run


def log(owner: Caller) -> list[dict[str, Any]]:
    """Every event, read by cursor two at a time, as a client that comes and goes does."""
    found: list[dict[str, Any]] = []
    while page := owner.ok(
        "GET", f"{EVENTS}?limit=2" + (f"&after={found[-1]['id']}" if found else "")
    ):
        found += page
    return found


def test_a_run_is_told_once_and_the_reference_package_verifies_it(
    world: World, receiver: Receiver
) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    hook = hooked(owner, receiver)
    run = ran(world, owner, model)
    (told,) = receiver.told
    event = Webhook(hook["secret"]).verify(told.body, told.headers)
    assert event["type"] == "run.completed"
    assert event["data"] == {"id": run, "status": "COMPLETED"}
    assert len(told.body) < 20_000
    assert [each["id"] for each in log(owner)] == [told.id]


def test_a_receiver_written_from_the_specification_alone_verifies_it(
    world: World, receiver: Receiver
) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    key = base64.b64decode(hooked(owner, receiver)["secret"].removeprefix("whsec_"))
    ran(world, owner, model)
    (told,) = receiver.told
    parts = [told.id.encode(), told.headers["webhook-timestamp"].encode(), told.body]
    mark = base64.b64encode(hmac.new(key, b".".join(parts), hashlib.sha256).digest()).decode()
    assert f"v1,{mark}" in told.headers["webhook-signature"].split(" ")


def test_only_the_wanted_events_come_and_those_of_others_never(
    world: World, receiver: Receiver
) -> None:
    model, owner, other = world.model(), world.consumer(credits_=100), world.consumer(credits_=100)
    hooked(owner, receiver, eventTypes=["run.failed"])
    ran(world, owner, model)
    ran(world, other, model)
    assert receiver.told == []
    assert log(owner) != log(other)


def test_a_receiver_that_is_down_for_an_hour_misses_nothing(
    world: World, receiver: Receiver
) -> None:
    model, owner = world.model(price=1), world.consumer(credits_=100)
    hooked(owner, receiver)
    receiver.status = 503
    runs = []
    for _ in range(6):
        world.simulator.behave(
            model.endpoint_id,
            {"mode": "script", "queue_ms": 0, "run_ms": 100_000, "output": SDXL_OUTPUT},
        )
        runs.append(world.run(owner, model))
        world.advance(600, step=30, sweep=True)
    tried_in_vain = len(receiver.told)
    assert tried_in_vain > len(runs)
    receiver.status = 200
    receiver.told.clear()
    world.advance(3 * HOUR, step=600, sweep=True)

    by_cursor = log(owner)
    ids = [each["id"] for each in by_cursor]
    assert len(set(ids)) == len(ids)
    assert {told.id for told in receiver.told} == set(ids)
    for run in runs:
        order = [e["type"] for e in by_cursor if e["data"]["id"] == run]
        came = [told.event["type"] for told in receiver.told if told.event["data"]["id"] == run]
        assert order[0] == "run.started"
        assert len(order) == 2
        assert came == order
    (hook,) = owner.ok("GET", HOOKS)
    assert (hook["enabled"], hook["failingSince"]) == (True, None)
    assert hook["health"] == {"waiting": 0, "delivered": len(ids), "failed": 0}


def test_a_delivery_is_tried_on_the_schedule_then_the_webhook_is_stopped_with_a_notice(
    world: World, receiver: Receiver
) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    hook = hooked(owner, receiver, eventTypes=["run.completed"])
    receiver.status = 500
    ran(world, owner, model)
    world.advance(90 * HOUR, step=HOUR / 2)
    assert len(receiver.told) == 10
    (shown,) = owner.ok("GET", HOOKS)
    assert (shown["enabled"], shown["disabledFor"]) == (False, "failing")
    notice = log(owner)[-1]
    assert (notice["type"], notice["data"]["endpointId"]) == ("webhook.disabled", hook["id"])
    (delivery,) = owner.ok("GET", f"{HOOKS}/{hook['id']}/deliveries")
    assert (delivery["state"], delivery["attempts"]) == ("failed", 10)
    pauses = [
        round((world_time(later) - world_time(earlier)) / 60)
        for earlier, later in zip(delivery["tries"], delivery["tries"][1:], strict=False)
    ]
    assert pauses == sorted(pauses)
    assert {each["status"] for each in delivery["tries"]} == {500}


def world_time(attempt: dict[str, Any]) -> float:
    return datetime.fromisoformat(attempt["at"]).timestamp()


def test_410_stops_a_webhook_at_once_and_its_owner_can_start_it_and_replay(
    world: World, receiver: Receiver
) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    hook = hooked(owner, receiver)
    receiver.status = 410
    ran(world, owner, model)
    assert owner.ok("GET", HOOKS)[0]["disabledFor"] == "gone"
    ran(world, owner, model)
    assert len(receiver.told) == 1

    receiver.status = 200
    assert owner.ok("PATCH", f"{HOOKS}/{hook['id']}", {"enabled": True})["enabled"] is True
    since = "2020-01-01T00:00:00Z"
    replayed = owner.ok("POST", f"{HOOKS}/{hook['id']}/replay", {"since": since})
    assert replayed["deliveries"] == 1
    world.advance(60, sweep=True)
    assert receiver.told[-1].id == receiver.told[0].id
    (delivery,) = owner.ok("GET", f"{HOOKS}/{hook['id']}/deliveries")
    assert delivery["state"] == "delivered"
    refused = owner.refused(
        404, "POST", f"{HOOKS}/{hook['id']}/replay", {"deliveryId": delivery["id"] + 1}
    )
    assert refused["code"] == "DELIVERY_NOT_FOUND"


def asked_for(world: World) -> Any:
    """The task of the one delivery, which may come a moment after the run's end is seen."""
    for _ in range(500):
        for task in world.tasks.waiting():
            if task.url.endswith("/deliver"):
                return task
        threading.Event().wait(0.02)
    raise AssertionError("nobody was asked to deliver")


@pytest.mark.parametrize("lost", ["the task", "the answer", "the process"])
def test_what_is_lost_on_the_way_is_made_up_for(
    world: World, receiver: Receiver, lost: str
) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    hooked(owner, receiver)
    world.ended(owner, world.run(owner, model))
    task = asked_for(world)
    if lost == "the task":
        world.tasks.drop(task.name)
    elif lost == "the answer":
        world.tasks.deliver(task.name, lose_answer=True, now=world.clock.now())
    else:  # it has taken the delivery and died before it sent anything
        from common.webhooks import queries

        delivery_id = int(task.body.decode().partition(":")[2].strip("}"))
        with world.runtime.db.step() as connection:
            assert queries.begin(connection, delivery_id, world.clock.now()).action == "send"
        world.tasks.drop(task.name)
    world.advance(150, sweep=True)
    assert receiver.types() == ["run.completed"]
    assert len({told.id for told in receiver.told}) == 1


def test_a_slow_down_is_honoured(world: World, receiver: Receiver) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    hooked(owner, receiver)
    receiver.status, receiver.answers = 429, {"Retry-After": "900"}
    ran(world, owner, model)
    world.advance(800, step=60)
    assert len(receiver.told) == 1
    receiver.status = 200
    world.advance(200, step=60)
    assert len(receiver.told) == 2


def test_a_redirect_is_a_failure_and_is_not_followed(world: World, receiver: Receiver) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    hook = hooked(owner, receiver)
    receiver.status, receiver.answers = 302, {"Location": receiver.url}
    ran(world, owner, model)
    assert len(receiver.told) == 1
    (delivery,) = owner.ok("GET", f"{HOOKS}/{hook['id']}/deliveries")
    assert (delivery["state"], delivery["tries"][0]["status"]) == ("waiting", 302)


def test_while_a_secret_is_rotated_both_verify_and_then_the_new_one_alone(
    world: World, receiver: Receiver
) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    hook = hooked(owner, receiver)
    fresh = owner.ok("POST", f"{HOOKS}/{hook['id']}/rotate-secret", {"overlapHours": 1})
    ran(world, owner, model)
    told = receiver.told[-1]
    for secret in (hook["secret"], fresh["secret"]):
        Webhook(secret).verify(told.body, told.headers)
    world.clock.shift += timedelta(hours=1, seconds=1)
    ran(world, owner, model)
    assert len(receiver.told[-1].headers["webhook-signature"].split(" ")) == 1
    assert owner.ok("GET", HOOKS)[0].keys() == hook.keys() - {"secret"}


def test_a_run_brings_its_own_webhook_along(world: World, receiver: Receiver) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    secret = owner.ok("GET", f"{HOOKS}/run-secret")["secret"]
    path = f"/api/marketplace/models/{model.slug}/run"
    hook = {"url": receiver.url, "eventTypes": ["run.completed"]}
    body = {"inputs": {"prompt": "x"}, "webhook": hook}
    run = owner.ok("POST", path, body)["executionId"]
    world.ended(owner, run)
    ran(world, owner, model)  # another run is none of its business
    (told,) = receiver.told
    assert Webhook(secret).verify(told.body, told.headers)["data"]["id"] == run
    assert owner.ok("GET", HOOKS) == []
    assert owner.ok("PUT", f"{HOOKS}/run-secret")["secret"] != secret


def test_a_developer_is_told_of_earnings_and_a_consumer_of_purchases(
    world: World, receiver: Receiver
) -> None:
    model, owner = world.model(price=10), world.consumer()
    hooked(owner, receiver, eventTypes=["credits.purchased"])
    model.developer.ok("POST", "/api/studio/webhooks", {"url": receiver.url})
    world.bought(owner, 500)
    ran(world, owner, model)
    world.advance(60, sweep=True)
    assert sorted(receiver.types()) == ["credits.purchased", "earning.created"]
    (earned,) = model.developer.ok("GET", "/api/studio/events")
    assert earned["data"]["grossMicroCredits"] == 10_000_000
    assert (
        owner.refused(404, "GET", f"{HOOKS}/{model.id}/deliveries")["code"] == "WEBHOOK_NOT_FOUND"
    )


def test_a_dead_webhook_keeps_nobody_else_waiting(world: World, receiver: Receiver) -> None:
    """Six hundred events that nobody takes are due; one sweep later another account is told."""
    model, owner, other = world.model(), world.consumer(credits_=100), world.consumer()
    hooked(owner, receiver)
    me = owner.ok("GET", "/api/marketplace/auth/me")["id"]
    ran(world, owner, model)
    with world.runtime.db.step() as connection:
        for _ in range(600):
            events.add(
                connection, kind="consumer", owner_id=uuid.UUID(me), event_type="run.completed",
                data={}, now=world.clock.now(),
            )  # fmt: skip
    hooked(other, receiver)
    mine = other.ok("GET", HOOKS)[0]["id"]
    assert other.call("POST", f"{HOOKS}/{mine}/test").status_code == 204
    world.clock.shift += timedelta(seconds=20)
    world.scheduled("/sweep")
    asked = [json.loads(task.body)["deliveryId"] for task in world.tasks.waiting()
             if task.url.endswith("/deliver")]  # fmt: skip
    theirs = world.sql("SELECT id FROM deliveries WHERE endpoint_id = :id", id=mine)
    assert theirs[0].id in asked
    assert len(asked) == 51


def test_a_test_event_goes_to_that_webhook_alone(world: World, receiver: Receiver) -> None:
    owner = world.consumer()
    first, _ = hooked(owner, receiver), hooked(owner, receiver)
    assert owner.call("POST", f"{HOOKS}/{first['id']}/test").status_code == 204
    world.advance(60, sweep=True)
    (told,) = receiver.told
    assert told.event["data"] == {"endpointId": first["id"]}


def test_a_removed_webhook_is_told_nothing_more(world: World, receiver: Receiver) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    hook = hooked(owner, receiver)
    world.ended(owner, world.run(owner, model))
    assert owner.call("DELETE", f"{HOOKS}/{hook['id']}").status_code == 204
    world.advance(60, sweep=True)
    assert receiver.told == []


def test_an_address_that_moves_inside_after_it_was_checked_is_never_called(world: World) -> None:
    """DNS rebinding: the name is looked up at each delivery, and what is checked is called."""
    answers = {"moving.example": ["93.184.216.34"]}
    world.runtime.__dict__["outbound"] = Outbound(
        resolve=lambda host, _port: answers[host], tls=ssl.create_default_context()
    )
    model, owner = world.model(), world.consumer(credits_=100)
    hook = owner.ok("POST", HOOKS, {"url": "https://moving.example/hook"})
    answers["moving.example"] = ["169.254.169.254"]
    ran(world, owner, model)
    (delivery,) = owner.ok("GET", f"{HOOKS}/{hook['id']}/deliveries")
    (attempt,) = delivery["tries"]
    assert (attempt["status"], attempt["error"]) == (None, "not a public address")


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/hook",
        "https://127.0.0.1/hook",
        "https://[::ffff:169.254.169.254]/hook",
        "https://0.0.0.0/hook",
        "https://10.0.0.8/hook",
        "https://user:pw@93.184.216.34/hook",
        "https://93.184.216.34:25/hook",
        "ftp://93.184.216.34/hook",
        "hook",
    ],
)
def test_an_address_inside_is_refused_when_it_is_given(world: World, url: str) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    assert owner.refused(400, "POST", HOOKS, {"url": url})["code"] == "INVALID_REQUEST"
    body = {"inputs": {"prompt": "x"}, "webhook": {"url": url}}
    path = f"/api/marketplace/models/{model.slug}/run"
    assert owner.refused(400, "POST", path, body)["code"] == "INVALID_REQUEST"
    assert world.balance(owner) == 100
