"""Requests that come again: the same answer, one effect."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from common.moderation import service as moderation
from tests.world import PROMPT_SCHEMA, Caller, Crash, World

STARTS, THREADS, KEYS = 1000, 16, 250
PICTURE = {"type": "string", "format": "uri", "title": "Picture"}


def keyed(caller: Caller, path: str, body: object, key: str) -> requests.Response:
    return caller.call("POST", path, body, **{"Idempotency-Key": key})


def test_of_a_thousand_starts_from_sixteen_threads_each_key_makes_one_run(world: World) -> None:
    model, owner = world.model(price=1), world.consumer(credits_=10_000)
    path = f"/api/marketplace/models/{model.slug}/run"
    rng = random.Random(6)
    keys = [f"key-{rng.randrange(KEYS)}" for _ in range(STARTS)]
    seen: dict[str, set[str]] = {key: set() for key in keys}
    mine, lock = threading.local(), threading.Lock()

    def start(key: str) -> int:
        if not hasattr(mine, "caller"):
            mine.caller = Caller(owner.base, owner.token)
        while True:
            answer = keyed(mine.caller, path, {"inputs": {"prompt": key}}, key)
            if answer.status_code != 503:
                break
        with lock:
            seen[key].add(answer.json()["data"]["executionId"])
        return answer.status_code

    with ThreadPoolExecutor(THREADS) as threads:
        answers = Counter(threads.map(start, keys))

    assert answers == {201: STARTS}
    assert all(len(runs) == 1 for runs in seen.values())
    assert world.sql("SELECT count(*) FROM executions")[0][0] == len(set(keys))
    for runs in seen.values():
        world.ended(owner, runs.copy().pop(), seconds=60)
    assert world.balance(owner) == 10_000 - len(set(keys))


def test_the_same_key_and_body_is_the_same_answer_and_another_body_is_refused(
    world: World,
) -> None:
    model, owner = world.model(), world.consumer()
    path = f"/api/marketplace/models/{model.slug}/report"
    first = keyed(owner, path, {"reason": "broken", "details": "x"}, "k")
    again = keyed(owner, path, {"details": "x", "reason": "broken"}, '"k"')
    assert again.status_code == first.status_code == 201
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    other = keyed(owner, path, {"reason": "other"}, "k")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    elsewhere = keyed(owner, "/api/marketplace/keys", {"name": "a", "scopes": ["runs:read"]}, "k")
    assert elsewhere.status_code == 422
    stranger = keyed(world.consumer(), path, {"reason": "other"}, "k")
    assert stranger.status_code == 201


@pytest.mark.parametrize(
    "since", ["unpublished", "suspended", "a refused word", "the upload's end"]
)
def test_a_start_is_answered_again_whatever_has_become_of_the_model_since(
    world: World, since: str
) -> None:
    schema = {**PROMPT_SCHEMA, "properties": {**PROMPT_SCHEMA["properties"], "pic": PICTURE}}  # type: ignore[dict-item]
    model = world.model(price=10, moderation="block", schema=schema)
    owner = world.consumer(credits_=100)
    upload = owner.ok("POST", "/api/marketplace/uploads", {"contentType": "image/png", "bytes": 4})
    requests.put(upload["uploadUrl"], b"data", headers=upload["headers"], timeout=10)
    path = f"/api/marketplace/models/{model.slug}/run"
    body = {"inputs": {"prompt": "a lighthouse", "pic": upload["uri"]}}
    first = keyed(owner, path, body, "k").json()["data"]
    world.ended(owner, first["executionId"])
    if since == "unpublished":
        model.developer.ok("POST", f"/api/studio/tars-models/{model.id}/archive")
    elif since == "suspended":
        world.staff.ok("POST", f"/api/admin/models/{model.id}/suspend", {"reason": "a test"})
    elif since == "a refused word":
        world.staff.ok("PUT", "/api/admin/moderation/terms", {"terms": ["lighthouse"]})
        moderation._TERMS.forget("all")
    else:
        world.clock.shift += timedelta(hours=25)
    again = keyed(owner, path, body, "k")
    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["data"]["executionId"] == first["executionId"]
    assert again.json()["data"]["creditsCharged"] == 10
    assert keyed(owner, path, body, "another").status_code >= 400
    assert world.balance(owner) == 90


def test_while_the_first_is_worked_on_a_repeat_is_told_so(world: World) -> None:
    owner, gate = world.consumer(), world.runtime.gate
    begun, release = threading.Event(), threading.Event()
    finish = gate.finish

    def slow(*arguments: object) -> None:
        begun.set()
        release.wait(10)
        finish(*arguments)  # type: ignore[arg-type]

    gate.__dict__["finish"] = slow
    order = {"contentType": "image/png", "bytes": 5}
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(keyed, owner, "/api/marketplace/uploads", order, "k")
        assert begun.wait(10)
        other = Caller(owner.base, owner.token)
        refused = keyed(other, "/api/marketplace/uploads", order, "k")
        release.set()
        assert first.result().status_code == 201
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "REQUEST_IN_FLIGHT")
    assert refused.json()["error"]["retryable"] is True


def test_what_was_refused_has_changed_nothing_and_may_be_asked_again(world: World) -> None:
    owner = world.consumer()
    path = "/api/marketplace/models/not-there/report"
    assert keyed(owner, path, {"reason": "broken"}, "k").status_code == 404
    assert keyed(owner, path, {"reason": "other"}, "k").status_code == 404


def test_after_a_process_died_the_same_key_makes_the_same_thing_and_no_second(
    world: World,
) -> None:
    owner, gate = world.consumer(), world.runtime.gate

    def die(*_: object) -> None:
        raise Crash

    gate.__dict__["finish"] = die
    order = {"name": "batch", "scopes": ["runs:read"]}
    try:
        keyed(owner, "/api/marketplace/keys", order, "k")
    except requests.ConnectionError:
        pass
    else:
        raise AssertionError("the process did not die")
    del gate.__dict__["finish"]
    owner = Caller(owner.base, owner.token)
    assert keyed(owner, "/api/marketplace/keys", order, "k").status_code == 409
    world.clock.shift += timedelta(minutes=4)
    assert keyed(owner, "/api/marketplace/keys", order, "k").status_code == 201
    assert len(owner.ok("GET", "/api/marketplace/keys")) == 1
