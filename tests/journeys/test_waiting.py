"""Waiting for a run in the request that starts it, and not for ever."""

import threading

import requests

from tests.following import RUN, slow, started
from tests.world import Caller, World


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
