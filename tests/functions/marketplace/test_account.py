"""A consumer's account (contract 1.5)."""

import uuid
from typing import Any

import pytest

from tests.functions.callers import People

SHAPE = {
    "id", "firebaseUid", "email", "name", "avatarUrl", "creditsBalance", "runCount",
    "purchaseCount", "totalCreditsSpent", "createdAt", "updatedAt",
}  # fmt: skip


def test_registering_makes_an_account_without_credits_once(people: People) -> None:
    api = people.signed_in("marketplace", "carl")
    first = api.ok("POST", "/auth/register", {"email": "x@example.com", "name": "Carl"}, status=201)
    assert set(first) == SHAPE
    assert (first["creditsBalance"], first["runCount"], first["totalCreditsSpent"]) == (0, 0, 0)
    assert first["email"] == "carl@example.com"
    assert api.ok("POST", "/auth/register", {}, status=201) == first
    assert api.ok("GET", "/auth/me") == first


@pytest.mark.parametrize("name", ["José", "Владимир", "🎨🎨"])
def test_w41_any_unicode_name_may_register(people: People, name: str) -> None:
    api = people.signed_in("marketplace", "carl")
    assert api.ok("POST", "/auth/register", {"name": name}, status=201)["name"] == name


def test_me_before_registering_is_not_found(people: People) -> None:
    error = people.signed_in("marketplace", "new").refused("GET", "/auth/me", status=404)
    assert error["code"] == "CONSUMER_NOT_FOUND"


def test_granted_credits_show_in_the_balance(people: People) -> None:
    api = people.consumer()
    grant = {
        "consumerId": api.ok("GET", "/auth/me")["id"],
        "credits": 250,
        "reason": "welcome",
        "reference": str(uuid.uuid4()),
    }
    made = people.staff().ok("POST", "/credits/grants", grant, status=201)
    assert (made["newBalance"], made["grantedNow"]) == (250, True)
    again = people.staff().ok("POST", "/credits/grants", grant, status=201)
    assert (again["newBalance"], again["grantedNow"]) == (250, False)
    assert api.ok("GET", "/auth/me")["creditsBalance"] == 250


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_w86_a_profile_is_changed_in_part_and_answered_whole(people: People, method: str) -> None:
    api = people.consumer(picture="https://a.example/x")
    named = api.ok(method, "/auth/profile", {"name": "Carla"})
    assert set(named) == SHAPE
    assert (named["name"], named["avatarUrl"]) == ("Carla", "https://a.example/x")
    cleared = api.ok(method, "/auth/profile", {"avatarUrl": None})
    assert (cleared["name"], cleared["avatarUrl"]) == ("Carla", None)
    assert api.ok(method, "/auth/profile", {}) == cleared


@pytest.mark.parametrize(
    ("field", "value"), [("name", "x"), ("name", None), ("avatarUrl", "ftp://a.example/x")]
)
def test_w52_a_wrong_profile_field_is_refused(people: People, field: str, value: Any) -> None:
    error = people.consumer().refused("PUT", "/auth/profile", {field: value}, status=400)
    assert [each["field"] for each in error["details"]["errors"]] == [field]


def test_a_developers_token_does_not_open_the_marketplace(people: People) -> None:
    market = people.stranger("marketplace")
    market.token = people.developer().token
    assert market.refused("GET", "/auth/me", status=401)["code"] == "WRONG_PROJECT"


def test_the_older_prefix_leads_to_the_same_account(people: People) -> None:
    api = people.consumer()
    mine = api.ok("GET", "/auth/me")
    api.prefix = "/api/consumer"
    assert api.ok("GET", "/auth/me") == mine
