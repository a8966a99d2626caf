"""What a run costs: asked before, promised by end, shown afterwards in full."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.world import Caller, Model, World

MARKET = "/api/marketplace"


def completed(world: World, consumer: Caller, model: Model) -> str:
    return world.run(consumer, model)


def failed(world: World, consumer: Caller, model: Model) -> str:
    world.simulator.behave(model.endpoint_id, {"mode": "instant", "error": "out of memory"})
    run = world.run(consumer, model)
    world.advance(600, step=30, sweep=True)  # it is tried again twice
    return run


def empty(world: World, consumer: Caller, model: Model) -> str:
    world.simulator.behave(model.endpoint_id, {"mode": "instant", "output": {}})
    return world.run(consumer, model)


def timed_out(world: World, consumer: Caller, model: Model) -> str:
    world.simulator.behave(model.endpoint_id, {"mode": "script", "queue_ms": 10**9})
    run = world.run(consumer, model)
    world.advance(1500, step=60, sweep=True)
    return run


def cancelled(world: World, consumer: Caller, model: Model) -> str:
    world.simulator.behave(model.endpoint_id, {"mode": "script", "queue_ms": 10**9})
    run = world.run(consumer, model)
    consumer.ok("POST", f"{MARKET}/runs/{run}/cancel")
    world.advance(900, step=60, sweep=True)
    return run


End = Callable[[World, Caller, Model], str]
ENDS: dict[str, list[End]] = {
    "COMPLETED": [completed],
    "FAILED": [failed, empty],
    "TIMED_OUT": [timed_out],
    "CANCELLED": [cancelled],
}


def test_the_published_table_has_every_end_of_a_run(world: World) -> None:
    charges = Caller(world.base).ok("GET", f"{MARKET}/credits/charges")
    assert [each["status"] for each in charges] == list(ENDS)
    ends = world.sql(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'executions'::regclass AND pg_get_constraintdef(oid) LIKE '%TIMED_OUT%'"
    )
    for status in ENDS:
        assert any(status in definition for (definition,) in ends)


@pytest.mark.parametrize(
    ("status", "end"),
    [(status, end) for status, ends in ENDS.items() for end in ends],
    ids=lambda x: x if isinstance(x, str) else x.__name__,
)
def test_every_end_costs_what_the_published_table_says(world: World, status: str, end: End) -> None:
    consumer, model = world.consumer(credits_=100), world.model(price=40)
    promised = {
        each["status"]: each for each in Caller(world.base).ok("GET", f"{MARKET}/credits/charges")
    }[status]
    run = world.ended(consumer, end(world, consumer, model))
    paid = 40 if promised["charge"] == "full" else 0
    assert run["status"] == status
    assert run["billing"]["reason"] == promised["reason"]
    assert (run["billing"]["capturedCredits"], run["billing"]["heldCredits"]) == (paid, 0)
    shown = consumer.ok("GET", f"{MARKET}/credits")
    assert (shown["balance"], shown["held"]) == (100 - paid, 0)
    receipt = consumer.ok("GET", f"{MARKET}/runs/{run['id']}/receipt")
    assert receipt["billing"] == run["billing"]
    assert sum(each["credits"] for each in receipt["postings"]) == paid
    assert receipt["developerShareCredits"] + receipt["platformFeeCredits"] == paid
    assert model.developer.ok("GET", "/api/studio/earnings")["totalEarned"] == paid * 7 // 10


def test_a_quote_says_what_a_run_costs_and_holds_nothing(world: World) -> None:
    consumer, model = world.consumer(credits_=50), world.model(price=40)
    path = f"{MARKET}/models/{model.slug}/quote"
    for _ in range(2):
        quote = consumer.ok("POST", path, {"inputs": {"prompt": "a lighthouse"}})
        assert (quote["priceCredits"], quote["balance"], quote["balanceAfter"]) == (40, 50, 10)
        assert (quote["sufficient"], quote["frozenReason"]) == (True, None)
    assert quote["charges"] == Caller(world.base).ok("GET", f"{MARKET}/credits/charges")
    assert consumer.ok("GET", f"{MARKET}/credits")["held"] == 0
    assert consumer.ok("GET", f"{MARKET}/runs") == []
    world.ended(consumer, world.run(consumer, model))
    short = consumer.ok("POST", path, {})
    assert (short["sufficient"], short["balance"], short["balanceAfter"]) == (False, 10, -30)


def test_a_quote_of_wrong_inputs_or_no_model_is_refused_as_the_run_would_be(world: World) -> None:
    consumer, model = world.consumer(), world.model()
    wrong: dict[str, Any] = {"inputs": {"prompt": "x", "width": 7}}
    for what in ("quote", "run"):
        path = f"{MARKET}/models/{model.slug}/{what}"
        assert consumer.refused(422, "POST", path, wrong)["code"] == "INVALID_INPUTS"
        path = f"{MARKET}/models/no-such-model/{what}"
        assert consumer.refused(404, "POST", path, {"inputs": {}})["code"] == "MODEL_NOT_FOUND"


def test_a_receipt_goes_down_to_the_postings_and_shows_what_was_given_back(world: World) -> None:
    consumer, model = world.consumer(credits_=100), world.model(price=40)
    run = world.ended(consumer, world.run(consumer, model))["id"]
    receipt = consumer.ok("GET", f"{MARKET}/runs/{run}/receipt")
    assert {each["kind"]: each["credits"] for each in receipt["postings"]} == {
        "capture_developer": 28.0,
        "capture_platform": 12.0,
    }
    assert (receipt["developerShareCredits"], receipt["platformFeeCredits"]) == (28.0, 12.0)
    refund = {"reference": str(uuid.uuid4()), "reason": "a poor result"}
    world.staff.ok("POST", f"/api/admin/runs/{run}/refund", refund)
    receipt = consumer.ok("GET", f"{MARKET}/runs/{run}/receipt")
    assert receipt["billing"]["state"] == "REFUNDED"
    assert [(each["kind"], each["credits"]) for each in receipt["postings"]] == [
        ("capture_developer", 28.0),
        ("capture_platform", 12.0),
        ("run_refund_developer", 28.0),
        ("run_refund_platform", 12.0),
    ]
    assert (receipt["developerShareCredits"], receipt["platformFeeCredits"]) == (0, 0)
    assert consumer.ok("GET", f"{MARKET}/credits")["balance"] == 100
