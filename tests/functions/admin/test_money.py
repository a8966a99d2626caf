"""What staff do to money: recorded for good, once per reference, never below zero."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError

from tests.world import Caller, World

ADMIN = "/api/admin"


def deed(**more: Any) -> dict[str, Any]:
    return {"reference": str(uuid.uuid4()), "reason": "a good reason"} | more


def id_of(consumer: Caller) -> str:
    return str(consumer.ok("GET", "/api/marketplace/auth/me")["id"])


def adjust(world: World, consumer: Caller, number: int, **more: Any) -> dict[str, Any]:
    """The order for an adjustment of somebody's credits, done at once."""
    order = deed(consumerId=id_of(consumer), credits=number, **more)
    done = world.staff.ok("POST", f"{ADMIN}/credits/adjustments", order)
    assert done["doneNow"]
    return order


def wallet(consumer: Caller) -> dict[str, Any]:
    found: dict[str, Any] = consumer.ok("GET", "/api/marketplace/credits")
    return found


def recorded(world: World, subject: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.staff.ok("GET", f"{ADMIN}/actions?subject={subject}")
    return found


def adjusted(world: World, consumer: Caller) -> tuple[str, str, dict[str, Any]]:
    order = deed(consumerId=id_of(consumer), credits=-30)
    return f"{ADMIN}/credits/adjustments", order["consumerId"], order


def granted(world: World, consumer: Caller) -> tuple[str, str, dict[str, Any]]:
    order = deed(consumerId=id_of(consumer), credits=30)
    return f"{ADMIN}/credits/grants", order["consumerId"], order


def frozen(world: World, consumer: Caller) -> tuple[str, str, dict[str, Any]]:
    me = id_of(consumer)
    return f"{ADMIN}/wallets/{me}/freeze", me, deed()


def run_refunded(world: World, consumer: Caller) -> tuple[str, str, dict[str, Any]]:
    run = world.run(consumer, world.model(price=40))
    world.ended(consumer, run)
    return f"{ADMIN}/runs/{run}/refund", run, deed()


def purchase_refunded(world: World, consumer: Caller) -> tuple[str, str, dict[str, Any]]:
    purchase = world.bought(consumer, 500)["id"]
    return f"{ADMIN}/purchases/{purchase}/refund", purchase, deed(amountCents=200)


Prepared = Callable[[World, Caller], tuple[str, str, dict[str, Any]]]
DEEDS: list[tuple[Prepared, str]] = [
    (adjusted, "adjust credits"),
    (granted, "grant credits"),
    (frozen, "freeze wallet"),
    (run_refunded, "refund run"),
    (purchase_refunded, "refund purchase"),
]


@pytest.mark.parametrize(("prepare", "action"), DEEDS, ids=[name for _, name in DEEDS])
def test_a_deed_is_done_once_and_stands_in_the_record_with_who_when_why_before_and_after(
    world: World, prepare: Prepared, action: str
) -> None:
    consumer = world.consumer(credits_=100)
    path, subject, order = prepare(world, consumer)
    began = world.clock.now()
    answers = [world.staff.ok("POST", path, order) for _ in range(3)]
    done = [each.get("doneNow", each.get("grantedNow")) for each in answers]
    assert done == [True, False, False]
    after = wallet(consumer)
    (kept,) = [each for each in recorded(world, subject) if each["reference"] == order["reference"]]
    assert (kept["action"], kept["actor"], kept["reason"]) == (action, "staff", order["reason"])
    assert kept["at"] >= began.strftime("%Y-%m-%dT%H:%M:%S")
    assert kept["before"] != kept["after"]
    assert kept["after"]["posted"] - kept["after"]["pending"] == after["balance"] * 1_000_000
    assert kept["after"]["frozen"] == after["frozen"]


@pytest.mark.parametrize(("prepare", "action"), DEEDS, ids=[name for _, name in DEEDS])
def test_a_reference_is_one_deed_and_no_other(world: World, prepare: Prepared, action: str) -> None:
    assert action
    consumer, other = world.consumer(credits_=100), world.consumer(credits_=100)
    path, _, order = prepare(world, consumer)
    world.staff.ok("POST", path, order)
    reused = deed(reference=order["reference"])
    before = wallet(other)
    for another, body in (
        ("/credits/adjustments", reused | {"consumerId": id_of(other), "credits": 5}),
        ("/credits/grants", reused | {"consumerId": id_of(other), "credits": 5}),
        (f"/wallets/{id_of(other)}/freeze", reused),
    ):
        refused = world.staff.refused(409, "POST", f"{ADMIN}{another}", body)
        assert refused["code"] == "CONFLICT", another
    assert wallet(other) == before
    assert [each["action"] for each in recorded(world, id_of(other))] == ["grant credits"]


def test_a_deed_that_two_send_at_once_is_done_once(world: World) -> None:
    consumer = world.consumer(credits_=100)
    order = deed(consumerId=id_of(consumer), credits=-60)
    answers: list[bool] = []

    def send() -> None:
        staff = Caller(world.base, "developers:staff")
        answers.append(staff.ok("POST", f"{ADMIN}/credits/adjustments", order)["doneNow"])

    threads = [threading.Thread(target=send) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == [False] * 5 + [True]
    assert wallet(consumer)["balance"] == 40
    assert len(recorded(world, order["consumerId"])) == 2


def test_what_staff_did_can_be_changed_by_nobody(world: World) -> None:
    adjust(world, world.consumer(), 5)
    owner = create_engine(world.settings.database_url)
    for statement in (
        "UPDATE staff_actions SET reason = 'another'",
        "DELETE FROM staff_actions",
        "TRUNCATE staff_actions",
    ):
        with pytest.raises(DatabaseError, match="permission denied"):
            world.sql(statement)
        with owner.connect() as connection, pytest.raises(DatabaseError, match="never changed"):
            connection.execute(text(statement))
    with pytest.raises(DatabaseError, match="permission denied"):
        world.sql("INSERT INTO staff_actions (at, actor, action, subject) VALUES (now(),'','',:s)",
                  s=uuid.uuid4())  # fmt: skip
    owner.dispose()


def test_an_adjustment_takes_no_more_than_is_free(world: World) -> None:
    consumer, model = world.consumer(credits_=100), world.model(price=40)
    world.simulator.behave(model.endpoint_id, {"mode": "script", "queue_ms": 10**9})
    run = world.run(consumer, model)
    order = deed(consumerId=id_of(consumer), credits=-61)
    refused = world.staff.refused(409, "POST", f"{ADMIN}/credits/adjustments", order)
    assert (refused["code"], refused["details"]) == ("NOT_ENOUGH_LEFT", {"available": 60})
    assert (wallet(consumer)["balance"], wallet(consumer)["held"]) == (60, 40)
    adjust(world, consumer, -60)
    assert (wallet(consumer)["balance"], wallet(consumer)["held"]) == (0, 40)
    consumer.ok("POST", f"/api/marketplace/runs/{run}/cancel")
    world.advance(900, step=60, sweep=True)
    assert wallet(consumer)["balance"] == 40


@pytest.mark.parametrize(
    "change",
    [{"credits": 0}, {"credits": 10**7}, {"credits": 1.5}, {"reason": ""}, {"reference": "again"}],
)
def test_an_adjustment_that_is_none_is_refused(world: World, change: dict[str, Any]) -> None:
    order = deed(consumerId=id_of(world.consumer()), credits=5) | change
    assert world.staff.refused(400, "POST", f"{ADMIN}/credits/adjustments", order)


def test_nobody_unknown_is_adjusted_or_frozen(world: World) -> None:
    nobody = str(uuid.uuid4())
    order = deed(consumerId=nobody, credits=5)
    for path, body in (("/credits/adjustments", order), (f"/wallets/{nobody}/freeze", deed())):
        refused = world.staff.refused(404, "POST", f"{ADMIN}{path}", body)
        assert refused["code"] == "CONSUMER_NOT_FOUND"


def test_a_frozen_wallet_starts_nothing_and_says_why_until_it_is_thawed(world: World) -> None:
    consumer, model = world.consumer(credits_=100), world.model(price=10)
    path = f"{ADMIN}/wallets/{id_of(consumer)}"
    world.staff.ok("POST", f"{path}/freeze", deed(reason="we look into something"))
    run = f"/api/marketplace/models/{model.slug}/run"
    refused = consumer.refused(403, "POST", run, {"inputs": {"prompt": "no"}})
    assert refused["code"] == "WALLET_FROZEN"
    assert wallet(consumer)["frozen"]
    quote = consumer.ok("POST", f"/api/marketplace/models/{model.slug}/quote", {})
    assert (quote["sufficient"], bool(quote["frozenReason"])) == (False, True)
    world.staff.ok("POST", f"{path}/unfreeze", deed())
    world.ended(consumer, world.run(consumer, model))
    assert wallet(consumer)["balance"] == 90


def test_the_shop_window_is_data_that_staff_change(world: World) -> None:
    window = {
        "packages": [{"priceCents": 700, "popular": True}, {"priceCents": 300}],
        "leastCents": 300,
        "mostCents": 900,
    }
    world.staff.ok("PUT", f"{ADMIN}/credits/packages", window)
    shown = Caller(world.base).ok("GET", "/api/marketplace/credits/packages")
    assert [(p["priceCents"], p["popular"]) for p in shown["packages"]] == [
        (300, False), (700, True),
    ]  # fmt: skip
    consumer, path = world.consumer(), "/api/marketplace/credits/purchase"
    for cents in (299, 901):
        refused = consumer.refused(400, "POST", path, {"amountCents": cents})
        assert refused["details"]["errors"][0]["field"] == "amountCents"
    assert consumer.ok("POST", path, {"amountCents": 300})["priceCents"] == 300
    (kept, *_) = world.staff.ok("GET", f"{ADMIN}/actions")
    assert kept["action"] == "set credit packages"
    assert [len(kept[when]["packages"]) for when in ("before", "after")] == [5, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"leastCents": 1000},
        {"mostCents": 200},
        {"packages": [{"priceCents": 300}, {"priceCents": 300}]},
        {"packages": [{"priceCents": 299}]},
        {"packages": [{"priceCents": 300, "credits": 900}]},
        {"leastCents": 49},
    ],
)
def test_a_shop_window_that_cannot_be_is_refused(world: World, change: dict[str, Any]) -> None:
    window = {"packages": [{"priceCents": 300}], "leastCents": 300, "mostCents": 900} | change
    world.staff.refused(400, "PUT", f"{ADMIN}/credits/packages", window)
    shown = Caller(world.base).ok("GET", "/api/marketplace/credits/packages")
    assert len(shown["packages"]) == 5


def test_new_terms_hold_for_what_is_earned_from_then_on(world: World) -> None:
    model, consumer = world.model(price=100), world.consumer(credits_=200)
    world.ended(consumer, world.run(consumer, model))
    terms = {"clearingDays": 0, "minimumPayoutCents": 50}
    assert world.staff.ok("PUT", f"{ADMIN}/earnings/terms", terms) == terms
    world.ended(consumer, world.run(consumer, model))
    shown = model.developer.ok("GET", "/api/studio/earnings")
    assert (shown["pendingBalance"], shown["availableBalance"]) == (70, 70)
    assert (shown["clearingDays"], shown["minimumPayout"]) == (0, 50)
    world.clock.shift += timedelta(days=7.1)
    assert model.developer.ok("GET", "/api/studio/earnings")["availableBalance"] == 140
    (kept, *_) = world.staff.ok("GET", f"{ADMIN}/actions")
    assert kept["action"] == "set earning terms"
    assert kept["before"] == {"clearingDays": 7, "minimumPayoutCents": 5000}
    assert kept["after"] == terms


def test_a_gpu_price_is_added_with_its_day_and_stands_in_the_record(world: World) -> None:
    order = {"gpuClass": "ADA_24", "microUsdPerSecond": 300, "since": "2026-12-01T00:00:00.000Z"}
    assert world.staff.ok("POST", f"{ADMIN}/gpu-prices", order) == order
    listed = [p for p in world.staff.ok("GET", f"{ADMIN}/gpu-prices") if p["gpuClass"] == "ADA_24"]
    assert [each["microUsdPerSecond"] for each in listed] == [300, 310]
    with pytest.raises(DatabaseError, match="permission denied"):
        world.sql("UPDATE gpu_prices SET micro_usd_per_second = 1")
    (kept, *_) = world.staff.ok("GET", f"{ADMIN}/actions")
    assert (kept["action"], kept["after"]) == ("add GPU price", order)


def test_a_model_below_the_least_price_of_its_base_is_not_published_and_the_reason_is_said(
    world: World,
) -> None:
    base, _ = world.base_model(minimumPriceCredits=12)
    developer = world.developer()
    draft = {"baseModelId": base, "title": "Cheap", "slug": "cheap", "priceCredits": 11}
    made = developer.ok("POST", "/api/studio/tars-models", draft)
    path = f"/api/studio/tars-models/{made['id']}"
    refused = developer.refused(422, "POST", f"{path}/publish", {"action": "publish"})
    (error,) = refused["details"]["errors"]
    assert error["field"] == "priceCredits"
    assert "at least 12 credits" in error["message"]
    developer.ok("PATCH", path, {"priceCredits": 12})
    assert developer.ok("POST", f"{path}/publish", {"action": "publish"})["status"] == "PUBLISHED"
    assert developer.call("PATCH", path, {"priceCredits": 1}).status_code == 409
