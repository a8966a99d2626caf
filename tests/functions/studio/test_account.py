"""A developer's account as the studio client uses it (contract 1.2, 6.2 C1 to C6)."""

from typing import Any

import pytest

from tests.functions.callers import People, Studio

SHAPE = {
    "id", "firebaseUid", "email", "displayName", "avatarUrl", "bio", "country", "payoutEmail",
    "stripeAccountId", "verified", "profileComplete", "totalEarnings", "pendingPayout",
    "modelCount", "notebookCount", "createdAt", "updatedAt",
}  # fmt: skip


def test_registering_makes_the_account_once(people: People) -> None:
    api = people.signed_in("studio", "ada")
    first = api.ok("POST", "/auth/register", {"email": "", "displayName": "Ada"}, status=201)
    again = api.ok("POST", "/auth/register", {"email": "", "displayName": "Ada"}, status=201)
    assert first == again
    assert set(first) == SHAPE
    assert (first["displayName"], first["profileComplete"], first["verified"]) == (
        "Ada",
        True,
        False,
    )


def test_w40_the_address_comes_from_the_token_and_not_from_the_body(people: People) -> None:
    api = people.signed_in("studio", "ada", email="ada@example.com")
    made = api.ok("POST", "/auth/register", {"email": "victim@example.com"}, status=201)
    assert made["email"] == "ada@example.com"


def test_an_address_of_another_account_is_a_conflict(people: People) -> None:
    people.developer("ada")
    api = people.signed_in("studio", "eve", email="ada@example.com")
    error = api.refused("POST", "/auth/register", {}, status=409)
    assert error["code"] == "EMAIL_TAKEN"


@pytest.mark.parametrize("name", ["José", "王小明", "Ñandú Ødegård", "O'Brien-Smith Jr."])
def test_w41_any_unicode_name_may_register(people: People, name: str) -> None:
    api = people.signed_in("studio", "ada", name=None)
    made = api.ok("POST", "/auth/register", {"displayName": f"  {name} "}, status=201)
    assert made["displayName"] == name


@pytest.mark.parametrize("name", ["x", "x" * 101, "bell\x07", "two\nlines"])
def test_a_name_of_the_wrong_form_is_refused_by_field(people: People, name: str) -> None:
    api = people.signed_in("studio", "ada")
    error = api.refused("POST", "/auth/register", {"displayName": name}, status=400)
    assert [each["field"] for each in error["details"]["errors"]] == ["displayName"]


def test_an_account_without_an_address_shows_an_empty_one(people: People) -> None:
    api = people.signed_in("studio", "ada", email=None, name=None)
    made = api.ok("POST", "/auth/register", {"email": ""}, status=201)
    assert (made["email"], made["displayName"], made["profileComplete"]) == ("", None, False)


def test_me_before_registering_is_not_found(people: People) -> None:
    error = people.signed_in("studio", "ada").refused("GET", "/auth/me", status=404)
    assert error["code"] == "DEVELOPER_NOT_FOUND"


def test_w62_me_counts_models(studio: Studio) -> None:
    studio.draft()
    shown = studio.api.ok("GET", "/auth/me")
    assert set(shown) == SHAPE
    assert (shown["modelCount"], shown["notebookCount"]) == (1, 0)
    assert (shown["totalEarnings"], shown["pendingPayout"]) == (0, 0)


def test_k8_w61_a_profile_is_stored_whole_and_answered_whole(people: People) -> None:
    api = people.developer("ada")
    changes = {
        "displayName": "Ada L.",
        "bio": "I count.\nA lot.",
        "avatarUrl": "https://a.example/x",
    }
    answer = api.ok("PUT", "/auth/profile", changes)
    assert set(answer) == SHAPE
    assert {name: answer[name] for name in changes} == changes
    assert api.ok("GET", "/auth/me") == answer


def test_k8_w61_null_clears_biography_and_avatar(people: People) -> None:
    api = people.developer("ada", picture="https://a.example/x")
    api.ok("PUT", "/auth/profile", {"bio": "Hello"})
    answer = api.ok("PUT", "/auth/profile", {"displayName": "Ada", "bio": None, "avatarUrl": None})
    assert (answer["bio"], answer["avatarUrl"]) == (None, None)


def test_a_field_left_out_of_a_profile_stays(people: People) -> None:
    api = people.developer("ada")
    api.ok("PUT", "/auth/profile", {"bio": "Hello", "country": "de"})
    answer = api.ok("PATCH", "/auth/profile", {"displayName": "Ada"})
    assert (answer["bio"], answer["country"], answer["displayName"]) == ("Hello", "DE", "Ada")


def test_w86_an_empty_change_of_profile_changes_nothing(people: People) -> None:
    api = people.developer("ada")
    assert api.ok("PUT", "/auth/profile", {}) == api.ok("GET", "/auth/me")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("displayName", None),
        ("displayName", " "),
        ("bio", "x" * 501),
        ("avatarUrl", ""),
        ("avatarUrl", "http://plain.example/x"),
        ("avatarUrl", "javascript:alert(1)"),
        ("avatarUrl", "https://user:word@a.example/"),
        ("avatarUrl", "https://a.example/" + "x" * 2048),
        ("payoutEmail", "nobody"),
        ("country", "DEU"),
        ("country", "1A"),
        ("admin", True),
    ],
)
def test_w52_a_wrong_profile_field_is_refused(people: People, field: str, value: Any) -> None:
    api = people.developer("ada")
    error = api.refused("PUT", "/auth/profile", {field: value}, status=400)
    assert [each["field"] for each in error["details"]["errors"]] == [field]
    assert field in error["message"]


def test_completing_the_profile_may_be_repeated(people: People) -> None:
    api = people.developer("ada", name=None)
    body = {"displayName": "Ada", "payoutEmail": "Pay@Example.com", "country": "fr"}
    first = api.ok("POST", "/auth/complete-profile", body)
    again = api.ok("POST", "/auth/complete-profile", body)
    assert set(first) == SHAPE
    assert first == again
    assert (first["payoutEmail"], first["country"], first["profileComplete"]) == (
        "pay@example.com",
        "FR",
        True,
    )


def test_w48_a_stranger_learns_nothing_about_the_fields(people: People) -> None:
    stranger = people.stranger("studio")
    error = stranger.refused("PUT", "/auth/profile", {"nonsense": 1}, status=401)
    assert "details" not in error


def test_a_consumers_token_does_not_open_the_studio(people: People) -> None:
    consumer = people.consumer("carl")
    studio = people.stranger("studio")
    studio.token = consumer.token
    assert studio.refused("GET", "/auth/me", status=401)["code"] == "WRONG_PROJECT"


def test_the_older_prefix_leads_to_the_same_account(people: People) -> None:
    api = people.developer("ada")
    mine = api.ok("GET", "/auth/me")
    api.prefix = "/api/developer"
    assert api.ok("GET", "/auth/me") == mine
