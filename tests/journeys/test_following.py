"""Waiting for a run and following it: in one request, by events, and not for ever."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import requests

from common.executions import queries
from common.executions.service import signer
from common.executions.streaming import Place, RunEvents
from tests.world import Caller, Model, World

RUN = {"inputs": {"prompt": "a lighthouse"}}
TEXT_SCHEMA = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        "prompt": {"type": "string", "title": "Prompt"},
        "stream": {"type": "boolean", "default": True},
    },
}


def started(caller: Caller, model: Model, **headers: str) -> requests.Response:
    path = f"/api/marketplace/models/{model.slug}/run"
    answer = caller.call("POST", path, RUN, **headers)
    assert answer.ok, answer.text
    return answer


def writing(world: World) -> Model:
    """A model that puts text out bit by bit."""
    return world.model(
        schema=TEXT_SCHEMA, category="TEXT", outputType="TEXT", outputFormat="txt",
        outputAdapter="vllm",
    )  # fmt: skip


def slow(world: World, model: Model, *, run_ms: int = 10**6, **more: Any) -> None:
    world.simulator.behave(
        model.endpoint_id,
        {"mode": "script", "queue_ms": 0, "run_ms": run_ms, "output": {"images": []}, **more},
    )


def go_on_at_once(world: World, runs: int) -> None:
    """Of each consumer's runs so many go on at once, and the others wait their turn."""
    limits = world.staff.ok("GET", "/api/admin/limits")
    world.staff.ok("PUT", "/api/admin/limits", limits | {"concurrentRuns": runs})


def events(caller: Caller, execution_id: str, **headers: str) -> Iterator[dict[str, Any]]:
    """The events of one connection, as any client of server-sent events reads them."""
    url = f"{caller.base}/api/marketplace/runs/{execution_id}/events"
    sent = {"Authorization": f"Bearer {caller.token}", **headers}
    with requests.get(url, headers=sent, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        event: dict[str, Any] = {}
        for line in answer.iter_lines(decode_unicode=True):
            name, _, value = line.partition(": ")
            if line == "" and event:
                yield event
                event = {}
            elif name in {"id", "event"}:
                event[name] = value
            elif name == "data":
                event["data"] = json.loads(value)


def followed(caller: Caller, execution_id: str) -> Iterator[dict[str, Any]]:
    """The events up to the end, over as many connections as it takes."""
    last: dict[str, str] = {}
    while True:
        for event in events(caller, execution_id, **last):
            last = {"Last-Event-ID": event["id"]}
            yield event
            if event["event"] == "completed":
                return


def test_a_start_that_waits_answers_with_the_result(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    answer = started(owner, model, Prefer="respond-async, wait=10")
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "wait=10"
    data = answer.json()["data"]
    assert data["status"] == data["run"]["status"] == "COMPLETED"
    assert data["run"]["outputPayload"]["outputs"][0]["mime"] == "image/png"
    assert answer.headers["Location"].endswith(data["executionId"])


def test_when_the_wait_ends_first_the_run_is_answered_with_202(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    slow(world, model)
    answer = started(owner, model, Prefer="wait=1")
    data = answer.json()["data"]
    assert answer.status_code == 202
    assert data["run"]["status"] in {"QUEUED", "RUNNING"}
    assert data["run"]["queue"]["estimatedSeconds"] is None  # nothing was measured yet
    owner.ok("POST", f"/api/marketplace/runs/{data['executionId']}/cancel")


def test_without_a_preference_nothing_is_waited_for(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    slow(world, model)
    answer = started(owner, model, Prefer="handling=lenient")
    assert answer.status_code == 201
    assert answer.json()["data"]["run"] is None
    assert "Preference-Applied" not in answer.headers


def test_a_run_is_cancelled_after_the_time_that_its_consumer_said(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    slow(world, model)
    run = started(owner, model, **{"Cancel-After": "1m"}).json()["data"]["executionId"]
    world.advance(50)
    assert world.shown(owner, run)["completedAt"] is None
    world.advance(60)
    shown = world.ended(owner, run)
    assert (shown["status"], shown["billing"]["state"]) == ("CANCELLED", "RELEASED")
    assert [job["status"] for job in world.jobs(model)] == ["CANCELLED"]


def test_a_cancel_after_that_makes_no_sense_is_refused(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    path = f"/api/marketplace/models/{model.slug}/run"
    for wrong in ("1s", "25h", "soon", "5", "0m", "-5m"):
        assert owner.call("POST", path, RUN, **{"Cancel-After": wrong}).status_code == 400
    assert world.balance(owner) == 100


def test_a_reader_sees_each_status_once_and_the_end_with_the_result(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    slow(world, model, run_ms=2000)
    run = world.run(owner, model)
    seen: list[dict[str, Any]] = []

    def read() -> None:
        seen.extend(followed(owner, run))

    reader = threading.Thread(target=read)
    reader.start()
    wait_for(lambda: len(seen) == 1)
    world.advance(30)
    reader.join(20)
    assert [each["event"] for each in seen] == [
        "status",
        *["status"] * (len(seen) - 2),
        "completed",
    ]
    assert seen[-1]["data"]["status"] in {"COMPLETED", "FAILED"}
    ranks = [int(each["id"].split("-")[1]) for each in seen]
    assert ranks == sorted(ranks)
    assert list(events(owner, run, **{"Last-Event-ID": seen[-1]["id"]})) == []
    (last,) = events(owner, run)
    assert last == seen[-1]


def test_text_comes_as_the_worker_puts_it_out_and_a_late_reader_goes_on(world: World) -> None:
    model = writing(world)
    pieces = [[{"choices": [{"tokens": [word]}]}] for word in ("Once ", "upon ", "a time")]
    world.simulator.behave(
        model.endpoint_id,
        {
            "mode": "script", "queue_ms": 0, "run_ms": 60_000, "stream": pieces,
            "output": [{"choices": [{"tokens": ["Once upon a time"]}]}],
        },
    )  # fmt: skip
    owner = world.consumer(credits_=100)
    run = world.run(owner, model)
    seen: list[dict[str, Any]] = []

    def read() -> None:
        seen.extend(followed(owner, run))

    reader = threading.Thread(target=read)
    reader.start()
    wait_for(lambda: len(seen) >= 1)
    world.advance(70)
    reader.join(20)
    texts = [each["data"]["text"] for each in seen if each["event"] == "output"]
    assert seen[-1]["event"] == "completed"
    assert "".join(texts) == "Once upon a time"
    first = next(each for each in seen if each["event"] == "output")
    later = list(events(owner, run, **{"Last-Event-ID": first["id"]}))
    assert [each["data"]["text"] for each in later if each["event"] == "output"] == texts[1:]


def test_a_reader_who_comes_back_takes_the_text_on_at_once(world: World) -> None:
    model = writing(world)
    slow(world, model)
    run = uuid.UUID(world.run(world.consumer(credits_=100), model))
    owner = world.sql("SELECT consumer_id FROM executions WHERE id = :id", id=run)[0][0]
    world.settings.__dict__["stream_seconds"] = 3.0

    def another_may_take_it() -> bool:
        with world.runtime.db.step() as connection:
            return queries.lease_stream(connection, run, uuid.uuid4(), world.clock.now())

    told = RunEvents(world.runtime, run, owner, signer(world.runtime)).follow(Place())
    assert b"event: status" in next(told) + next(told)
    assert not another_may_take_it()
    list(told)
    assert another_may_take_it()


def test_text_that_was_handed_out_is_not_had_for_nothing(world: World) -> None:
    """Whoever has read the answer cannot cancel the run and get the credits back."""
    model = world.model(price=10)
    slow(world, model)
    owner = world.consumer(credits_=100)
    path = f"/api/marketplace/models/{model.slug}/run"
    run = owner.ok("POST", path, RUN, **{"Cancel-After": "1m"})["executionId"]
    with world.runtime.db.step() as connection:
        queries.add_chunks(
            connection, uuid.UUID(run), attempt=1, pieces=["the answer"], now=world.clock.now()
        )
    refused = owner.refused(409, "POST", f"/api/marketplace/runs/{run}/cancel")
    assert refused["code"] == "TEXT_DELIVERED"
    world.advance(90)
    assert world.shown(owner, run)["completedAt"] is None
    assert {job["status"] for job in world.jobs(model)} == {"IN_PROGRESS"}


def test_a_cancelled_run_that_waited_for_its_turn_leaves_the_turns_to_the_others(
    world: World,
) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    go_on_at_once(world, 1)
    slow(world, model)
    first, second, third = (world.run(owner, model) for _ in range(3))
    owner.ok("POST", f"/api/marketplace/runs/{second}/cancel")
    owner.ok("POST", f"/api/marketplace/runs/{first}/cancel")
    world.ended(owner, first)
    wait_for(lambda: world.tasks.deliver_all_due(world.clock.now()) and len(world.jobs(model)) == 2)
    owner.ok("POST", f"/api/marketplace/runs/{third}/cancel")


def test_whoever_has_waited_longer_goes_first(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    go_on_at_once(world, 1)
    slow(world, model)
    first, second = world.run(owner, model), world.run(owner, model)
    owner.ok("POST", f"/api/marketplace/runs/{first}/cancel")
    world.ended(owner, first)
    third = world.run(owner, model)  # there is a place, but not for this one
    assert len(world.jobs(model)) == 1
    world.advance(150, sweep=True)
    assert [world.shown(owner, run)["status"] for run in (second, third)] == ["RUNNING", "PENDING"]
    owner.ok("POST", f"/api/marketplace/runs/{third}/cancel")
    owner.ok("POST", f"/api/marketplace/runs/{second}/cancel")


def test_one_caller_keeps_no_more_than_two_places(world: World) -> None:
    """Whoever would wait and finds no place is answered 202 at once."""
    model, owner = world.model(price=1), world.consumer(credits_=100)
    slow(world, model)
    answers: list[requests.Response] = []

    def wait() -> None:
        mine = Caller(owner.base, owner.token)
        answers.append(started(mine, model, Prefer="wait=3"))

    waiting = [threading.Thread(target=wait) for _ in range(4)]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    applied = [answer.headers.get("Preference-Applied") for answer in answers]
    assert sorted(map(str, applied)) == ["None", "None", "wait=3", "wait=3"]
    for answer in answers:
        run = answer.json()["data"]["executionId"]
        owner.ok("POST", f"/api/marketplace/runs/{run}/cancel")


def test_another_ones_run_cannot_be_followed(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    run = world.run(owner, model)
    stranger = world.consumer()
    refused = stranger.refused(404, "GET", f"/api/marketplace/runs/{run}/events")
    assert refused["code"] == "EXECUTION_NOT_FOUND"
    world.ended(owner, run)


def test_a_run_says_its_place_and_how_long_it_may_take(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    world.ended(owner, world.run(owner, model))
    world.simulator.behave(
        model.endpoint_id, {"mode": "script", "queue_ms": 10**6, "run_ms": 1, "output": {}}
    )
    first, second = world.run(owner, model), world.run(owner, model)
    places = [world.shown(owner, run)["queue"]["position"] for run in (first, second)]
    assert places == [1, 2]
    assert world.shown(owner, second)["queue"]["estimatedSeconds"] >= 1
    for run in (first, second):
        owner.ok("POST", f"/api/marketplace/runs/{run}/cancel")


def test_more_runs_than_may_go_on_at_once_wait_their_turn_and_all_end(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    go_on_at_once(world, 2)
    slow(world, model, run_ms=20_000)
    runs = [world.run(owner, model) for _ in range(5)]
    assert len(world.jobs(model)) == 2
    assert sorted(world.shown(owner, run)["status"] for run in runs)[:3] == ["PENDING"] * 3
    most = 2
    for _ in range(20):
        world.advance(15, sweep=True)
        going = [job for job in world.jobs(model) if job["status"] in {"IN_QUEUE", "IN_PROGRESS"}]
        most = max(most, len(going))
    assert most == 2
    assert {world.shown(owner, run)["completedAt"] is not None for run in runs} == {True}
    assert len(world.jobs(model)) == 5


def test_the_next_run_begins_when_one_has_ended_without_waiting_for_a_sweep(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    go_on_at_once(world, 1)
    slow(world, model)
    first, second = world.run(owner, model), world.run(owner, model)
    owner.ok("POST", f"/api/marketplace/runs/{first}/cancel")
    world.ended(owner, first)
    wait_for(lambda: world.tasks.deliver_all_due(world.clock.now()) and len(world.jobs(model)) == 2)
    owner.ok("POST", f"/api/marketplace/runs/{second}/cancel")


def wait_for(what: Any, seconds: float = 15) -> None:
    ends_at = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends_at, "it did not come"
        time.sleep(0.02)
