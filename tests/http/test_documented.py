"""Each function does what its document says, for requests that nobody thought of (schemathesis)."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from common.http.openapi import document
from tests.http.functions import APPS
from tests.world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PUBLIC = {
    "marketplace": "/api/marketplace",
    "studio": "/api/studio",
    "admin": "/api/admin",
    "callback": "/api/webhooks",
    "tasks": "/internal/tasks",
    "cleanup": "/internal/cleanup",
}
EXAMPLES = 12
# A test run waits for its end, so it gets a few requests only.
SLOW = {"test_runs_test_run_post": 4}


@dataclass
class Installation:
    """A world with something in it: who calls, and the ids that exist."""

    world: World
    tokens: dict[str, str | None]
    known: dict[str, str]


@pytest.fixture
def installation(world: World) -> Installation:
    """One of everything, so that requests also hit what exists."""
    developer = world.developer()
    model = world.model(developer=developer)
    consumer = world.consumer(credits_=10_000)
    run = world.run(consumer, model)
    world.ended(consumer, run)
    made = developer.ok("GET", f"/api/studio/tars-models/{model.id}")
    base = world.staff.ok("GET", f"/api/admin/base-models/{made['baseModelId']}")
    tokens = {
        "marketplace": consumer.token,
        "studio": developer.token,
        "admin": world.staff.token,
    }
    known = {
        "slug": model.slug,
        "model_id": model.id,
        "base_model_id": base["id"],
        "endpoint_id": base["endpointId"],
        "attempt": str(uuid.uuid4()),
        "token": "token",
    }
    return Installation(world, tokens, known | {"run": run})


def operations(function: str) -> Iterator[Any]:
    """The operations of a function's document, in its order."""
    schema = schemathesis.openapi.from_dict(document(APPS[function]))
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        yield found.ok()


@pytest.mark.parametrize("function", sorted(PUBLIC))
def test_answers_are_documented_and_never_our_failure(
    installation: Installation, function: str
) -> None:
    tried = 0
    for operation in operations(function):
        tried += try_out(installation, function, operation)
    assert tried >= 5


def try_out(installation: Installation, function: str, operation: Any) -> int:
    """Sends generated requests to one operation; answers how many."""
    sent: list[int] = []
    token = installation.tokens.get(function)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    name = operation.definition.raw["operationId"]

    @settings(
        max_examples=SLOW.get(name, EXAMPLES),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), existing=st.booleans())
    def send(case: Any, existing: bool) -> None:
        if existing:
            case.path_parameters = {
                key: known_value(installation, function, key, value)
                for key, value in (case.path_parameters or {}).items()
            }
        response = case.call(
            base_url=installation.world.base + PUBLIC[function], headers=headers, timeout=30
        )
        sent.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    send()
    return len(sent)


def known_value(installation: Installation, function: str, name: str, value: Any) -> Any:
    """The id that exists, for a path parameter of that name."""
    if name == "id":
        name = {"marketplace": "run", "studio": "model_id"}[function]
    return installation.known.get(name, value)
