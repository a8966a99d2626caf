"""What people take along, and what is left of them once they have gone."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.world import Caller, World

SECRET = "my very own words"
LEAVE = {"confirm": "delete my account"}


def everything(world: World) -> str:
    """The whole database as text, as the application may read it."""
    tables = world.sql(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname IN ('public', 'ledger') "
        "AND has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT')"
    )
    return "\n".join(
        str(row[0]) for (table,) in tables for row in world.sql(f"SELECT t::text FROM {table} t")
    )


def busy(world: World) -> tuple[Caller, dict[str, Any]]:
    """A consumer with something of everything."""
    model, owner = world.model(), world.consumer(credits_=100)
    owner.ok("PATCH", "/api/marketplace/auth/profile", {"name": SECRET})
    world.bought(owner, 500)
    owner.ok("POST", "/api/marketplace/keys", {"name": SECRET, "scopes": ["runs:read"]})
    owner.ok("POST", f"/api/marketplace/models/{model.slug}/report",
             {"reason": "other", "details": SECRET})  # fmt: skip
    owner.ok("POST", "/api/marketplace/webhooks",
             {"url": "https://93.184.216.34/hook", "description": SECRET},
             **{"Idempotency-Key": "once"})  # fmt: skip
    owner.ok("POST", "/api/marketplace/uploads", {"contentType": "image/png", "bytes": 9})
    world.ended(owner, world.run(owner, model, prompt=SECRET))
    return owner, owner.ok("GET", "/api/marketplace/auth/me")


def test_a_consumer_takes_everything_along(world: World) -> None:
    owner, me = busy(world)
    export = owner.ok("GET", "/api/marketplace/account/export")
    assert export["account"] == me
    assert [run["inputPayload"] for run in export["runs"]] == [{"prompt": SECRET}]
    assert len(export["purchases"]) == len(export["keys"]) == 1
    assert [hook["description"] for hook in export["webhooks"]] == [SECRET]
    assert [report["details"] for report in export["reports"]] == [SECRET]
    assert [upload["contentType"] for upload in export["uploads"]] == ["image/png"]
    assert len(export["movements"]) >= 3


def test_whoever_leaves_leaves_no_word_behind_and_the_books_stay_in_order(world: World) -> None:
    owner, me = busy(world)
    assert SECRET in everything(world)
    refused = owner.refused(409, "POST", "/api/marketplace/account/delete", LEAVE)
    assert refused["code"] == "CREDITS_LEFT"
    gone = owner.ok("POST", "/api/marketplace/account/delete", LEAVE | {"giveUp": True})
    assert gone == {"deleted": True, "givenUp": 590.0}
    world.clock.shift += timedelta(minutes=5)
    world.scheduled("/sweep")  # what limited them is forgotten
    left = everything(world)
    assert SECRET not in left
    assert me["email"] not in left
    assert str(owner.token).partition(":")[2] not in left.replace(me["id"], "")
    assert owner.refused(404, "GET", "/api/marketplace/auth/me")["code"] == "CONSUMER_NOT_FOUND"
    again = owner.ok("POST", "/api/marketplace/auth/register", {})
    assert again["id"] != me["id"]
    assert again["creditsBalance"] == 0
    assert world.violations() == []


def test_nobody_leaves_while_a_run_goes_on(world: World) -> None:
    model, owner = world.model(price=100), world.consumer(credits_=100)
    world.simulator.behave(
        model.endpoint_id, {"mode": "script", "queue_ms": 0, "run_ms": 10**6, "output": {}}
    )
    run = world.run(owner, model)
    refused = owner.refused(409, "POST", "/api/marketplace/account/delete", LEAVE)
    assert refused["code"] == "RUNS_UNDER_WAY"
    owner.ok("POST", f"/api/marketplace/runs/{run}/cancel")


def test_nobody_leaves_while_a_purchase_may_still_be_paid(world: World) -> None:
    owner = world.consumer()
    owner.ok("POST", "/api/marketplace/credits/purchase", {"amountCents": 500})
    refused = owner.refused(409, "POST", "/api/marketplace/account/delete", LEAVE)
    assert refused["code"] == "PURCHASE_OPEN"


def test_nobody_leaves_with_a_frozen_wallet(world: World) -> None:
    """With the same sign-in they would begin anew with one that is not frozen."""
    owner = world.consumer(credits_=10)
    me = owner.ok("GET", "/api/marketplace/auth/me")["id"]
    order = {"reason": "under inspection", "reference": str(uuid.uuid4())}
    world.staff.ok("POST", f"/api/admin/wallets/{me}/freeze", order)
    body = LEAVE | {"giveUp": True}
    refused = owner.refused(409, "POST", "/api/marketplace/account/delete", body)
    assert refused["code"] == "ACCOUNT_OWES"
    world.staff.ok("POST", f"/api/admin/wallets/{me}/unfreeze",
                   order | {"reference": str(uuid.uuid4())})  # fmt: skip
    owner.ok("POST", "/api/marketplace/account/delete", body)


@pytest.mark.parametrize("body", [{}, {"confirm": "yes"}])
def test_leaving_has_to_be_meant(world: World, body: dict[str, str]) -> None:
    owner = world.consumer()
    assert owner.call("POST", "/api/marketplace/account/delete", body).status_code == 400


def test_a_developer_leaves_with_their_models_off_the_market(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    dora = model.developer
    world.ended(owner, world.run(owner, model))
    export = dora.ok("GET", "/api/studio/account/export")
    assert [each["slug"] for each in export["models"]] == [model.slug]
    assert len(export["earnings"]) == 1
    path = "/api/studio/account/delete"
    assert dora.refused(409, "POST", path, LEAVE)["code"] == "CREDITS_LEFT"
    dora.ok("POST", "/api/studio/webhooks", {"url": "https://93.184.216.34/hook"})
    assert dora.ok("POST", path, LEAVE | {"giveUp": True})["givenUp"] == 7
    assert world.sql("SELECT url FROM webhook_endpoints")[0].url == "erased"
    assert world.sql("SELECT 1 FROM events WHERE developer_id IS NOT NULL") == []
    dora.refused(404, "GET", "/api/studio/auth/me")
    assert owner.call("GET", f"/api/marketplace/models/{model.slug}").status_code == 404
    assert world.violations() == []
