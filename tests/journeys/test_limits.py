"""Too many requests: refused with when to come back, the same for everyone of a kind."""

import pytest
from sqlalchemy import text

from common.traffic.service import PER_MINUTE
from tests.world import Caller, World


@pytest.fixture
def limited(world: World) -> World:
    """An installation that limits as the real one does."""
    world.runtime.gate._scale = 1
    return world


def test_every_answer_says_what_is_left(limited: World) -> None:
    owner = limited.consumer()
    answer = owner.call("GET", "/api/marketplace/credits")
    most = PER_MINUTE["read"]
    assert answer.headers["RateLimit-Policy"] == f'"read";q={most};w=60'
    assert answer.headers["X-RateLimit-Limit"] == str(most)
    assert int(answer.headers["X-RateLimit-Remaining"]) < most
    assert "X-RateLimit-Limit" not in owner.call("GET", "/api/marketplace/health").headers


def test_w04_too_many_are_answered_429_with_when_to_come_back(limited: World) -> None:
    owner = limited.consumer()
    path, most = "/api/marketplace/keys", PER_MINUTE["auth"]
    order = {"name": "k", "scopes": ["runs:read"], "expiresAt": "2020-01-01"}
    answers = [owner.call("POST", path, order) for _ in range(most)]
    assert answers[-1].status_code == 429
    error = answers[-1].json()["error"]
    assert (error["code"], error["retryable"]) == ("TOO_MANY_REQUESTS", True)
    wait = int(answers[-1].headers["Retry-After"])
    assert error["details"]["retryAfterSeconds"] == wait
    assert 1 <= wait <= 60 / most + 1
    limited.advance(wait)
    assert owner.call("POST", path, order).status_code == 400
    assert limited.consumer().call("POST", path, order).status_code == 400


def test_w47_an_address_is_not_what_a_caller_says_it_is(limited: World) -> None:
    """Whoever writes X-Forwarded-For by hand is known by what the proxies wrote behind it."""
    codes = set()
    for number in range(PER_MINUTE["refused"] + 1):
        guess = Caller(limited.base, "rubbish")
        told = {"X-Forwarded-For": f"10.0.0.{number}, 203.0.113.9, 10.9.9.9"}
        codes.add(guess.call("GET", "/api/marketplace/runs", **told).status_code)
    assert codes == {401, 429}
    told = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.9.9.9"}
    assert (
        Caller(limited.base, "rubbish").call("GET", "/api/marketplace/runs", **told).status_code
        == 401
    )


def test_whoever_signs_in_and_may_not_is_limited_as_well(limited: World) -> None:
    stranger = Caller(limited.base, "users:never-registered")
    most = PER_MINUTE["refused"]
    answers = [stranger.call("GET", "/api/marketplace/runs").status_code for _ in range(most + 2)]
    assert set(answers) == {404, 429}


def test_without_its_table_reads_are_answered_and_starts_are_not(limited: World) -> None:
    model, owner = limited.model(), limited.consumer(credits_=100)
    with limited.runtime.db.step() as connection:
        connection.execute(text("RESET ROLE"))
        connection.execute(text("ALTER FUNCTION rate_take RENAME TO rate_taken"))
        connection.execute(text("SET ROLE tarsify_app"))
    assert owner.call("GET", "/api/marketplace/credits").status_code == 200
    assert Caller(limited.base).call("GET", "/api/marketplace/models").status_code == 200
    path, body = f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "x"}}
    assert owner.call("POST", path, body).status_code == 503
    assert limited.balance(owner) == 100
