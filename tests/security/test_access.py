"""Who may call what: one row for every route of every function, and a new route needs a row."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from common.http import App
from common.http.openapi import document
from tests.http.functions import APPS
from tests.world import Caller, Model, World

# What stands behind a route, i.e. who may call it and how everybody else is answered.
PUBLIC = "public"  # anyone
CALLBACK = "callback"  # whoever knows the URL
USER, CONSUMER, RUN = "user", "consumer", "run"  # signed in; registered; owns the run
SIGNED_IN_DEVELOPER, DEVELOPER, OWN_MODEL = "signed-in developer", "developer", "own model"
STAFF = "staff"
INTERNAL = "internal"  # the queue's and the scheduler's account

HEALTH = {
    "GET /health": PUBLIC,
    "GET /health/live": PUBLIC,
    "GET /health/ready": PUBLIC,
    "GET /openapi.json": PUBLIC,
}
TABLE: dict[str, dict[str, str]] = {
    "marketplace": HEALTH
    | {
        "GET /": PUBLIC,
        "GET /models": PUBLIC,
        "GET /models/<slug>": PUBLIC,
        "POST /auth/register": USER,
        "GET /auth/me": CONSUMER,
        "PUT /auth/profile": CONSUMER,
        "PATCH /auth/profile": CONSUMER,
        "POST /models/<slug>/run": CONSUMER,
        "POST /executions": CONSUMER,
        "GET /runs": CONSUMER,
        "GET /executions": CONSUMER,
        "GET /runs/<id>": RUN,
        "GET /executions/<id>": RUN,
        "GET /runs/<id>/status": RUN,
        "GET /executions/<id>/status": RUN,
        "POST /runs/<id>/cancel": RUN,
        "POST /executions/<id>/cancel": RUN,
    },
    "studio": HEALTH
    | {
        "GET /": PUBLIC,
        "POST /auth/register": SIGNED_IN_DEVELOPER,
        "GET /auth/me": DEVELOPER,
        "PUT /auth/profile": DEVELOPER,
        "PATCH /auth/profile": DEVELOPER,
        "POST /auth/complete-profile": DEVELOPER,
        "GET /tars-models/base-models": DEVELOPER,
        "GET /base-models": DEVELOPER,
        "POST /tars-models": DEVELOPER,
        "GET /tars-models": DEVELOPER,
        "GET /tars-models/<model_id>": OWN_MODEL,
        "PUT /tars-models/<model_id>": OWN_MODEL,
        "PATCH /tars-models/<model_id>": OWN_MODEL,
        "DELETE /tars-models/<model_id>": OWN_MODEL,
        "POST /tars-models/<model_id>/publish": OWN_MODEL,
        "POST /tars-models/<model_id>/archive": OWN_MODEL,
        "GET /tars-models/<model_id>/preview": OWN_MODEL,
        "POST /tars-models/<model_id>/preview": OWN_MODEL,
        "POST /tars-models/<id>/test-run": OWN_MODEL,
    },
    "admin": HEALTH
    | {
        "POST /endpoints": STAFF,
        "GET /endpoints": STAFF,
        "GET /endpoints/<endpoint_id>": STAFF,
        "PUT /endpoints/<endpoint_id>": STAFF,
        "PATCH /endpoints/<endpoint_id>": STAFF,
        "DELETE /endpoints/<endpoint_id>": STAFF,
        "POST /base-models": STAFF,
        "GET /base-models": STAFF,
        "GET /base-models/<base_model_id>": STAFF,
        "PUT /base-models/<base_model_id>": STAFF,
        "PATCH /base-models/<base_model_id>": STAFF,
        "DELETE /base-models/<base_model_id>": STAFF,
        "POST /credits/grants": STAFF,
    },
    "callback": HEALTH | {"GET /": PUBLIC, "POST /runpod/<attempt>/<token>": CALLBACK},
    "tasks": HEALTH | {"POST /submit": INTERNAL, "POST /poll": INTERNAL, "POST /timeout": INTERNAL},
    "cleanup": HEALTH | {"POST /sweep": INTERNAL, "POST /audit": INTERNAL},
}
PREFIX = {
    "marketplace": "/api/marketplace",
    "studio": "/api/studio",
    "admin": "/api/admin",
    "callback": "/api/webhooks",
    "tasks": "/internal/tasks",
    "cleanup": "/internal/cleanup",
}
Answer = tuple[int, str]
MISSING, RUBBISH, OTHER_PROJECT = (
    (401, "MISSING_TOKEN"),
    (401, "INVALID_TOKEN"),
    (401, "WRONG_PROJECT"),
)
NO_CONSUMER, NO_DEVELOPER = (404, "CONSUMER_NOT_FOUND"), (404, "DEVELOPER_NOT_FOUND")
SUSPENDED = (403, "ACCOUNT_SUSPENDED")
NO_RUN, NO_MODEL, NO_ROUTE = (
    (404, "EXECUTION_NOT_FOUND"),
    (404, "MODEL_NOT_FOUND"),
    (404, "ROUTE_NOT_FOUND"),
)
NOT_STAFF = (403, "NOT_AN_ADMIN")

# For each kind of route: how each kind of caller is turned away. Who is not listed gets in.
_BARE = {"no token": MISSING, "rubbish": RUBBISH}
_USER = _BARE | {"new developer": OTHER_PROJECT, "developer": OTHER_PROJECT, "staff": OTHER_PROJECT}
_DEVELOPER = _BARE | {"new user": OTHER_PROJECT, "consumer": OTHER_PROJECT}
_CONSUMER = _USER | {"new user": NO_CONSUMER, "suspended consumer": SUSPENDED}
_REGISTERED = _DEVELOPER | {
    "new developer": NO_DEVELOPER,
    "staff": NO_DEVELOPER,
    "suspended developer": SUSPENDED,
}
_NOT_STAFF = {"developer": NOT_STAFF, "new developer": NOT_STAFF}
PEOPLE = (
    "no token", "rubbish", "new user", "consumer", "suspended consumer",
    "new developer", "developer", "suspended developer", "staff",
)  # fmt: skip
REFUSED: dict[str, dict[str, Answer]] = {
    PUBLIC: {},
    CALLBACK: dict.fromkeys(PEOPLE, NO_ROUTE),
    USER: _USER | {"suspended consumer": SUSPENDED},
    CONSUMER: _CONSUMER,
    RUN: _CONSUMER | {"consumer": NO_RUN},
    SIGNED_IN_DEVELOPER: _DEVELOPER | {"suspended developer": SUSPENDED},
    DEVELOPER: _REGISTERED,
    OWN_MODEL: _REGISTERED | {"developer": NO_MODEL},
    STAFF: _DEVELOPER | _NOT_STAFF,
    INTERNAL: {"no token": MISSING, **dict.fromkeys(PEOPLE[1:], RUBBISH)},
}
# Those of the other project are answered alike everywhere, suspended or not.
for _kind in (USER, CONSUMER, RUN):
    REFUSED[_kind]["suspended developer"] = OTHER_PROJECT
for _kind in (SIGNED_IN_DEVELOPER, DEVELOPER, OWN_MODEL, STAFF):
    REFUSED[_kind]["suspended consumer"] = OTHER_PROJECT
REFUSED[STAFF]["suspended developer"] = NOT_STAFF


def documented(app: App) -> dict[str, set[str]]:
    """The statuses that an operation may answer, by its row; aliases are not documented."""
    return {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}": set(operation["responses"])
        for path, item in document(app)["paths"].items()
        for method, operation in item.items()
    }


DOCUMENTED = {name: documented(app) for name, app in APPS.items()}


@dataclass
class Place:
    """A world with an owner, whose things everybody tries to reach."""

    world: World
    model: Model
    run: str
    people: dict[str, Caller]


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
    return Place(world, model, run, people)


def test_every_route_of_every_function_has_a_row_and_every_row_a_route() -> None:
    routes = {
        name: {f"{route.method} {route.path}" for route in app.table} for name, app in APPS.items()
    }
    assert routes == {name: set(rows) for name, rows in TABLE.items()}


def test_a_route_is_public_in_the_table_exactly_if_it_has_no_guard() -> None:
    for name, app in APPS.items():
        for route in app.table:
            kind = TABLE[name][f"{route.method} {route.path}"]
            assert (route.guard is None) == (kind in {PUBLIC, CALLBACK}), (name, route.path)


@pytest.mark.parametrize("function", sorted(TABLE))
def test_everyone_is_let_in_or_turned_away_as_the_table_says(place: Place, function: str) -> None:
    wrong = []
    for row, kind in TABLE[function].items():
        for person in PEOPLE:
            expected = REFUSED[kind].get(person)
            answer = answered(place, function, row, person)
            if answer != expected:
                wrong.append((row, person, answer, expected))
    assert wrong == []


def answered(place: Place, function: str, row: str, person: str) -> Answer | None:
    """How a person is turned away from a route; None when let in, whatever comes then."""
    method, path = row.split()
    filled = PREFIX[function] + fill(place, path)
    body: dict[str, Any] | None = {} if method in {"POST", "PUT", "PATCH"} else None
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
    for kind in set(TABLE[function].values()):
        yield from REFUSED[kind].values()


def fill(place: Place, path: str) -> str:
    """The path of the owner's own thing."""
    values: dict[str, Any] = {
        "<slug>": place.model.slug,
        "<model_id>": place.model.id,
        "<endpoint_id>": uuid.uuid4(),
        "<base_model_id>": uuid.uuid4(),
        "<attempt>": uuid.uuid4(),
        "<token>": "guess",
        "<id>": place.model.id if "tars-models" in path else place.run,
    }
    for name, value in values.items():
        path = path.replace(name, str(value))
    return path


def test_an_owner_reaches_what_others_do_not(place: Place) -> None:
    path = f"/api/studio/tars-models/{place.model.id}"
    assert place.model.developer.ok("GET", path)["id"] == place.model.id


@pytest.mark.parametrize("what", ["run", "model"])
def test_what_belongs_to_another_looks_exactly_like_what_does_not_exist(
    place: Place, what: str
) -> None:
    caller, path = {
        "run": (place.people["consumer"], "/api/marketplace/runs/{}"),
        "model": (place.people["developer"], "/api/studio/tars-models/{}"),
    }[what]
    theirs = {"run": place.run, "model": place.model.id}[what]
    answers = [caller.refused(404, "GET", path.format(each)) for each in (theirs, uuid.uuid4())]
    for answer in answers:
        del answer["requestId"]
    assert answers[0] == answers[1]
