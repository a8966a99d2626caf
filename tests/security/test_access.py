"""Who may call what: every route and kind of caller, as tests/security/access.py says."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from tests.http.functions import APPS
from tests.security.access import (
    CALLBACK,
    DOCUMENTED,
    NOT_BY_KEY,
    PEOPLE,
    PREFIX,
    PUBLIC,
    REFUSED,
    SCOPES,
    SIGNED,
    TABLE,
    UNKNOWN_KEY,
    Answer,
    refused_key,
)
from tests.world import Caller, Model, World


@dataclass
class Place:
    """A world with an owner, whose things everybody tries to reach."""

    world: World
    model: Model
    run: str
    purchase: str
    people: dict[str, Caller]
    keys: dict[str, str]
    webhooks: dict[str, str]


@pytest.fixture
def place(world: World) -> Place:
    """Someone's run and someone's model, and the people who do not own them."""
    model, owner = world.model(), world.consumer(credits_=100)
    run = world.run(owner, model)
    people = {
        "no token": Caller(world.base),
        "rubbish": Caller(world.base, "rubbish"),
        "consumer": world.consumer(),
        "suspended consumer": world.consumer(),
        "developer": world.developer(),
        "suspended developer": world.developer(),
    }
    with world.runtime.db.step() as connection:
        for table, who in (("consumers", "consumer"), ("developers", "developer")):
            uid = str(people[f"suspended {who}"].token).partition(":")[2]
            statement = f"UPDATE {table} SET suspended_at = now() WHERE firebase_uid = :uid"
            connection.execute(text(statement), {"uid": uid})
    world.ended(owner, run)
    sides = {"marketplace": owner, "studio": model.developer}
    for name, who in (("consumer", "marketplace"), ("developer", "studio")):
        path, scopes = f"/api/{who}/keys", sorted(set(SCOPES[who].values()))
        key = people[name].ok("POST", path, {"name": "all", "scopes": scopes})["key"]
        people[f"{name}'s key"] = Caller(world.base, key)
    return Place(
        world,
        model,
        run,
        world.bought(owner, 500)["id"],
        people,
        keys={name: a_key(name, who) for name, who in sides.items()},
        webhooks={name: a_webhook(name, who) for name, who in sides.items()},
    )


def a_key(function: str, owner: Caller) -> str:
    """The id of a key of someone else's."""
    scopes = sorted(set(SCOPES[function].values()))
    made = owner.ok("POST", f"/api/{function}/keys", {"name": "mine", "scopes": scopes})
    return str(made["id"])


def a_webhook(function: str, owner: Caller) -> str:
    """The id of a webhook of someone else's; an address needs no name service."""
    url = {"url": "https://93.184.216.34/hook"}
    return str(owner.ok("POST", f"/api/{function}/webhooks", url)["id"])


def test_every_route_of_every_function_has_a_row_and_every_row_a_route() -> None:
    routes = {
        name: {f"{route.method} {route.path}" for route in app.table} for name, app in APPS.items()
    }
    assert routes == {name: set(rows) for name, rows in TABLE.items()}


def test_a_route_is_public_in_the_table_exactly_if_it_has_no_guard() -> None:
    for name, app in APPS.items():
        for route in app.table:
            kind = TABLE[name][f"{route.method} {route.path}"]
            assert (route.guard is None) == (kind in {PUBLIC, CALLBACK, SIGNED}), (name, route.path)


def test_keys_may_do_what_the_table_says_and_with_that_scope() -> None:
    scopes = {
        name: {
            f"{route.method} {route.path}": scope
            for route in APPS[name].table
            if (scope := getattr(route.guard, "scope", None)) is not None
        }
        for name in SCOPES
    }
    assert scopes == SCOPES


@pytest.mark.parametrize("function", sorted(TABLE))
def test_everyone_is_let_in_or_turned_away_as_the_table_says(place: Place, function: str) -> None:
    wrong = []
    for row, kind in TABLE[function].items():
        for person in (*PEOPLE, "consumer's key", "developer's key"):
            owner, _, by_key = person.partition("'s ")
            expected = refused_key(function, row, owner) if by_key else REFUSED[kind].get(person)
            answer = answered(place, function, row, person)
            if answer != expected:
                wrong.append((row, person, answer, expected))
    assert wrong == []


def answered(place: Place, function: str, row: str, person: str) -> Answer | None:
    """How a person is turned away from a route; None when let in, whatever comes then."""
    method, path = row.split()
    filled = PREFIX[function] + fill(place, function, path)
    body: dict[str, Any] | None = {} if method in {"POST", "PUT", "PATCH"} else None
    if path.endswith("/replay"):  # whose webhook it is, is looked at once the body is right
        body = {"since": "2026-01-01T00:00:00Z"}
    response = caller(place, person).call(method, filled, body)
    status = str(response.status_code)
    assert status in DOCUMENTED[function].get(row, {status}), (row, person, response.text)
    assert response.status_code < 500, (row, person, response.text)
    if response.ok:
        return None
    answer = (response.status_code, response.json()["error"]["code"])
    return answer if answer in set(refusals(function)) else None


def caller(place: Place, person: str) -> Caller:
    """That person; who is new is another one each time, since a call may register them."""
    new = {
        "new user": "users:new",
        "new developer": "developers:new",
        "staff": "developers:staff",
    }
    if person in new:
        return Caller(place.world.base, f"{new[person]}-{uuid.uuid4()}")
    return place.people[person]


def refusals(function: str) -> Iterator[Answer]:
    """Every way of being turned away from a function."""
    yield from (UNKNOWN_KEY, NOT_BY_KEY)
    for kind in set(TABLE[function].values()):
        yield from REFUSED[kind].values()


def fill(place: Place, function: str, path: str) -> str:
    """The path of the owner's own thing."""
    values: dict[str, Any] = {
        "<slug>": place.model.slug,
        "<model_id>": place.model.id,
        "<endpoint_id>": uuid.uuid4(),
        "<base_model_id>": uuid.uuid4(),
        "<attempt>": uuid.uuid4(),
        "<token>": "guess",
        "<consumer_id>": uuid.uuid4(),
        "<developer_id>": uuid.uuid4(),
        "<id>": thing(place, function, path),
    }
    for name, value in values.items():
        path = path.replace(name, str(value))
    return path


def thing(place: Place, function: str, path: str) -> str:
    """What an `<id>` in that path is the id of."""
    if path.startswith("/keys"):
        return place.keys[function]
    if path.startswith("/webhooks"):
        return place.webhooks[function]
    if "tars-models" in path:
        return place.model.id
    return place.purchase if "purchases" in path else place.run


def test_an_owner_reaches_what_others_do_not(place: Place) -> None:
    path = f"/api/studio/tars-models/{place.model.id}"
    assert place.model.developer.ok("GET", path)["id"] == place.model.id


@pytest.mark.parametrize("what", ["run", "purchase", "model"])
def test_what_belongs_to_another_looks_exactly_like_what_does_not_exist(
    place: Place, what: str
) -> None:
    caller, path = {
        "run": (place.people["consumer"], "/api/marketplace/runs/{}"),
        "purchase": (place.people["consumer"], "/api/marketplace/credits/purchases/{}"),
        "model": (place.people["developer"], "/api/studio/tars-models/{}"),
    }[what]
    theirs = {"run": place.run, "purchase": place.purchase, "model": place.model.id}[what]
    answers = [caller.refused(404, "GET", path.format(each)) for each in (theirs, uuid.uuid4())]
    for answer in answers:
        del answer["requestId"]
    assert answers[0] == answers[1]
