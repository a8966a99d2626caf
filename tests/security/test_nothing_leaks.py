"""Whatever breaks behind a route, its answer says nothing of it: no vendor, no text, no trace."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from sqlalchemy.exc import OperationalError

from common.gateways.errors import GatewayError
from tests.http.documents import Installation, one_of_everything
from tests.http.functions import APPS
from tests.security.access import PREFIX
from tests.security.test_limits import BODIES
from tests.world import World

SECRET = "psql://admin:hunter2@10.0.0.3 said: runpod job rp-77 failed at stripe.com"
GATEWAYS = (
    "runpod", "tasks", "storage", "upload_storage", "outbound", "stripe", "runpod_bills",
    "runpod_endpoints",
)  # fmt: skip
INTERNAL = ("tasks", "cleanup")
# What only our failure could bring into an answer, and words that no refusal needs.
SECRETS = ("hunter2", "psql", "10.0.0.3", "rp-77")
# Used by what nobody waits for: sweeps and reconciliations.
BACKGROUND = {"runpod_bills", "runpod_endpoints"}
PUBLIC = ("marketplace", "studio", "admin", "callback", "payments")
WORDS = (*SECRETS, "traceback", "runpod", "pg8000", "sqlalchemy")
NOT_OURS = {"GET /openapi.json", "POST /account/delete"}


class Broken:
    """A part of which every use fails in its own words."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self._error = error
        self.uses = 0

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any, **__: Any) -> Any:
            self.uses += 1
            raise self._error()

        return fail


def vendor_error() -> Exception:
    return GatewayError(SECRET)


def our_own_error() -> Exception:
    return RuntimeError(SECRET)


def database_error() -> Exception:
    return OperationalError(SECRET, {}, Exception(SECRET))


@pytest.fixture
def installation(world: World) -> Installation:
    return one_of_everything(world)


def every_answer(installation: Installation) -> list[tuple[str, requests.Response]]:
    """Each public route as its rightful caller calls it."""
    answers = []
    for function in PUBLIC:
        for route in APPS[function].table:
            row = f"{route.method} {route.path}"
            if row in NOT_OURS or route.path.startswith("/health"):
                continue
            path = route.path
            for name in ("slug", "model_id", "base_model_id", "endpoint_id", "attempt", "token",
                         "consumer_id", "developer_id", "id"):  # fmt: skip
                value = installation.known_value(path, name, "5a0d8c1e-6f0b-4e52-9d35-0f5f4b1d7a66")
                path = path.replace(f"<{name}>", str(value))
            answer = requests.request(
                route.method,
                installation.world.base + PREFIX[function] + path,
                json=BODIES[function].get(row, {}) if route.method != "GET" else None,
                headers=installation.headers(function),
                timeout=60,
            )
            answers.append((f"{function} {row}", answer))
    return answers


def internal_answers(installation: Installation) -> list[tuple[str, requests.Response]]:
    """The routes that Cloud Tasks and Cloud Scheduler call."""
    return [
        (
            f"{function} {route.path}",
            requests.request(
                route.method,
                f"{installation.world.base}/internal/{function}{route.path}",
                json={"executionId": "5a0d8c1e-6f0b-4e52-9d35-0f5f4b1d7a66"},
                headers={"Authorization": "Bearer a.b.c"},
                timeout=60,
            ),
        )
        for function in INTERNAL
        for route in APPS[function].table
        if route.method == "POST"
    ]


def assert_silent(answers: list[tuple[str, requests.Response]], *, failures: int) -> None:
    telling = [
        (row, answer.text[:200])
        for row, answer in answers
        for word in (SECRETS if answer.ok else WORDS)
        if word in answer.text.lower()
    ]
    assert telling == []
    for _, answer in answers:
        if not answer.ok:
            assert set(answer.json()["error"]) <= {
                "code", "message", "requestId", "retryable", "details",
            }  # fmt: skip
    assert sum(answer.status_code >= 500 for _, answer in answers) >= failures


@pytest.mark.parametrize("error", [vendor_error, our_own_error])
def test_with_every_gateway_broken_no_answer_tells_of_it(
    installation: Installation, error: Callable[[], Exception]
) -> None:
    world, parts = installation.world, installation.world.runtime
    model, consumer = world.model(), world.consumer(credits_=100)
    start = f"/api/marketplace/models/{model.slug}/run"
    kept = {name: getattr(parts, name) for name in GATEWAYS}
    broken = {name: Broken(error) for name in GATEWAYS}
    parts.__dict__ |= broken
    try:
        answers = every_answer(installation)
        for _ in range(2):  # the first one fails at its alarm, the second one when it is submitted
            answers.append(("a start", consumer.call("POST", start, {"inputs": {"prompt": "a"}})))
            parts.__dict__["tasks"] = kept["tasks"]
        assert_silent(answers, failures=2)
    finally:
        parts.__dict__ |= kept
    assert {name for name in GATEWAYS if not broken[name].uses} == BACKGROUND


@pytest.mark.parametrize("error", [vendor_error, our_own_error])
def test_when_nobody_can_be_recognised_no_answer_tells_why(
    installation: Installation, error: Callable[[], Exception]
) -> None:
    """Of people, and of the service account that calls what is internal."""
    parts = installation.world.runtime
    names = ("identities", "invokers", "traces")
    kept = {name: getattr(parts, name) for name in names}
    broken = {name: Broken(error) for name in names}
    parts.__dict__ |= broken
    try:
        answers = every_answer(installation) + internal_answers(installation)
        assert_silent(answers, failures=60)
    finally:
        parts.__dict__ |= kept
    assert broken["identities"].uses
    assert broken["invokers"].uses


def test_with_the_database_broken_no_answer_tells_of_it(installation: Installation) -> None:
    parts = installation.world.runtime
    kept = parts.db
    parts.__dict__["db"] = Broken(database_error)
    parts.gate._db = Broken(database_error)  # type: ignore[assignment]
    try:
        assert_silent(every_answer(installation), failures=60)
    finally:
        parts.__dict__["db"], parts.gate._db = kept, kept
