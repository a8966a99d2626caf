"""A consumer's program signs in with a key: what it may, what it may spend, and how it ends."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.keys.secrets import is_well_formed, key_hash, make_key
from tests.world import SDXL_OUTPUT, Caller, World

KEYS = "/api/marketplace/keys"
ALL = ["credits:read", "runs:read", "runs:write", "webhooks:write"]


def issued(owner: Caller, **order: Any) -> tuple[Caller, dict[str, Any]]:
    """A program with a new key of the owner's, and the key as it was shown."""
    made = owner.ok("POST", KEYS, {"name": "batch", "scopes": ALL, **order})
    return Caller(owner.base, made["key"]), made


def test_a_program_runs_a_model_with_its_key_and_nothing_else(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    program, made = issued(owner)
    run = world.ended(program, world.run(program, model))
    assert run["status"] == "COMPLETED"
    assert program.ok("GET", "/api/marketplace/credits")["balance"] == 90
    assert made["key"].startswith("tsf_live_")
    shown = owner.ok("GET", KEYS)
    assert [(key["last4"], key["state"]) for key in shown] == [(made["key"][-4:], "live")]
    assert shown[0]["lastUsedAt"] is not None
    assert made["key"] not in str(shown)


def test_of_a_key_only_a_hash_is_kept(world: World) -> None:
    owner = world.consumer()
    _, made = issued(owner)
    rows = world.sql("SELECT k::text AS whole, hash FROM api_keys k")
    assert bytes(rows[0].hash) == key_hash(made["key"])
    assert made["key"] not in rows[0].whole


@pytest.mark.parametrize(
    ("scopes", "method", "path"),
    [
        (["runs:read"], "POST", "/models/{slug}/run"),
        (["runs:write"], "GET", "/runs"),
        (["runs:read", "runs:write"], "GET", "/credits"),
        (["credits:read"], "POST", "/webhooks"),
        (ALL, "POST", "/keys"),
        (ALL, "POST", "/credits/purchase"),
        (ALL, "POST", "/account/delete"),
    ],
)
def test_a_key_without_the_scope_is_refused_and_nothing_happens(
    world: World, scopes: list[str], method: str, path: str
) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    program, _ = issued(owner, scopes=scopes)
    refused = program.refused(
        403,
        method,
        "/api/marketplace" + path.format(slug=model.slug),
        {} if method == "POST" else None,
    )
    assert refused["code"] == "KEY_NOT_ALLOWED"
    assert world.jobs(model) == []


def test_a_revoked_key_ends_at_once_and_an_expired_one_at_its_time(world: World) -> None:
    owner = world.consumer()
    program, made = issued(owner)
    program.ok("GET", "/api/marketplace/credits")
    assert owner.call("DELETE", f"{KEYS}/{made['id']}").status_code == 204
    assert program.refused(401, "GET", "/api/marketplace/credits")["code"] == "KEY_ENDED"
    ends = (world.clock.now() + timedelta(hours=1)).isoformat()
    short, _ = issued(owner, expiresAt=ends)
    short.ok("GET", "/api/marketplace/credits")
    world.clock.shift += timedelta(hours=1, seconds=1)
    assert short.refused(401, "GET", "/api/marketplace/credits")["code"] == "KEY_ENDED"


def test_a_suspended_consumers_key_opens_nothing(world: World) -> None:
    owner = world.consumer()
    program, _ = issued(owner)
    me = owner.ok("GET", "/api/marketplace/auth/me")["id"]
    world.staff.ok("POST", f"/api/admin/consumers/{me}/suspend", {"reason": "a test"})
    assert program.refused(403, "GET", "/api/marketplace/credits")["code"] == "ACCOUNT_SUSPENDED"


def test_two_keys_live_while_one_is_rotated_and_share_one_limit(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    old, made = issued(owner, spendLimitCredits=15, spendPeriod="day")
    fresh = owner.ok("POST", f"{KEYS}/{made['id']}/rotate", {"overlapHours": 2})
    new = Caller(owner.base, fresh["key"])
    world.run(old, model)
    refused = new.refused(
        402, "POST", f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "x"}}
    )
    assert refused["code"] == "SPEND_LIMIT_REACHED"
    assert refused["details"] == {"limitCredits": 15, "spentCredits": 10, "period": "day"}
    again = owner.refused(409, "POST", f"{KEYS}/{made['id']}/rotate", {})
    assert "successor" in again["message"]
    world.clock.shift += timedelta(hours=2, seconds=1)
    assert old.refused(401, "GET", "/api/marketplace/credits")["code"] == "KEY_ENDED"
    new.ok("GET", "/api/marketplace/credits")


def test_a_limit_is_whole_again_in_the_next_period_and_after_a_run_that_was_not_charged(
    world: World,
) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    program, _ = issued(owner, spendLimitCredits=10, spendPeriod="day")
    world.simulator.behave(model.endpoint_id, {"mode": "instant", "error": "invalid input: no"})
    run = world.run(program, model)
    world.advance(120)
    assert world.ended(program, run)["status"] == "FAILED"
    assert owner.ok("GET", KEYS)[0]["spentCredits"] == 0
    world.simulator.behave(model.endpoint_id, {"mode": "instant", "output": SDXL_OUTPUT})
    path, body = f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "x"}}
    world.ended(program, program.ok("POST", path, body)["executionId"])
    program.refused(402, "POST", path, body)
    world.clock.shift += timedelta(days=1)
    program.ok("POST", path, body)


def test_ten_keys_may_live_and_no_more(world: World) -> None:
    owner = world.consumer()
    for _ in range(10):
        issued(owner)
    refused = owner.refused(409, "POST", KEYS, {"name": "one more", "scopes": ["runs:read"]})
    assert refused["code"] == "TOO_MANY_KEYS"


def test_a_repeat_of_making_a_key_makes_none_and_shows_no_secret(world: World) -> None:
    owner = world.consumer()
    order = {"name": "batch", "scopes": ["runs:read"]}
    first = owner.call("POST", KEYS, order, **{"Idempotency-Key": "once"})
    again = owner.call("POST", KEYS, order, **{"Idempotency-Key": "once"})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["data"] == first.json()["data"] | {"key": None}
    assert len(owner.ok("GET", KEYS)) == 1


def test_an_invented_key_is_refused(world: World) -> None:
    stranger = Caller(world.base, make_key()[:-1] + "!")
    assert stranger.refused(401, "GET", "/api/marketplace/credits")["code"] == "INVALID_KEY"
    assert world.sql("SELECT count(*) FROM api_keys")[0][0] == 0


@given(position=st.integers(9, 44), digit=st.sampled_from("0123456789ABCxyz"))
def test_a_mistyped_key_is_told_by_its_checksum(position: int, digit: str) -> None:
    key = make_key()
    assert is_well_formed(key)
    mistyped = key[:position] + digit + key[position + 1 :]
    assert is_well_formed(mistyped) == (mistyped == key)
