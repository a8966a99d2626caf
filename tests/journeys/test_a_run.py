"""A consumer runs a model: what they see, what it costs, and what stays hidden."""

import requests

from tests.world import World


def test_a_consumer_runs_a_model_and_gets_the_picture_for_its_price(world: World) -> None:
    model = world.model(price=10)
    consumer = world.consumer(credits_=100)

    started = consumer.ok(
        "POST", f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "a lighthouse"}}
    )
    run = world.ended(consumer, started["executionId"])

    assert started["creditsCharged"] == 10
    assert started["remainingCredits"] == 90
    assert run["status"] == "COMPLETED"
    assert run["billing"] == {
        "state": "CAPTURED",
        "heldCredits": 0,
        "capturedCredits": 10,
        "refundedCredits": 0,
        "reason": "The run succeeded and its result is stored.",
    }
    assert run["inputPayload"] == {"prompt": "a lighthouse"}
    picture = run["outputPayload"]["outputs"][0]
    assert picture["mime"] == "image/png"
    assert requests.get(picture["url"], timeout=10).content.startswith(b"\x89PNG")
    assert world.balance(consumer) == 90
    earned = model.developer.ok("GET", "/api/studio/auth/me")
    assert earned["totalEarnings"] == 7


def test_a_failed_run_costs_nothing_and_says_why_in_our_words(world: World) -> None:
    model = world.model(price=10)
    secret = "Traceback (most recent call last): CUDA out of memory on host gpu-7"
    world.simulator.behave(model.endpoint_id, {"mode": "instant", "error": secret})
    consumer = world.consumer(credits_=100)

    execution_id = world.run(consumer, model)
    world.advance(120)
    run = world.ended(consumer, execution_id)

    assert run["status"] == "FAILED"
    assert run["errorCode"] == "OUT_OF_MEMORY"
    assert "gpu-7" not in str(run)
    assert run["billing"]["state"] == "RELEASED"
    assert world.balance(consumer) == 100
    assert len(world.jobs(model)) == 3


def test_a_consumer_without_credits_is_told_what_is_missing(world: World) -> None:
    model = world.model(price=10)
    consumer = world.consumer(credits_=9)

    error = consumer.refused(
        402, "POST", f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "x"}}
    )

    assert error["code"] == "INSUFFICIENT_CREDITS"
    assert error["details"] == {"required": 10, "available": 9}
    assert world.jobs(model) == []


def test_one_click_sent_twice_with_the_same_key_is_one_execution(world: World) -> None:
    model = world.model(price=10)
    consumer = world.consumer(credits_=100)
    path, body = f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "x"}}

    first = consumer.call("POST", path, body, **{"Idempotency-Key": "click-1"})
    second = consumer.call("POST", path, body, **{"Idempotency-Key": "click-1"})
    other = consumer.refused(
        422, "POST", path, {"inputs": {"prompt": "y"}}, **{"Idempotency-Key": "click-1"}
    )

    assert first.status_code == second.status_code == 201
    assert first.json()["data"]["executionId"] == second.json()["data"]["executionId"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert len(world.jobs(model)) == 1
    assert world.balance(consumer) == 90
