"""Following the documents' links: what was made can be used until it is deleted, and not after."""

import uuid
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.core.transport import Response
from schemathesis.generation.stateful import APIStateMachine
from schemathesis.specs.openapi.checks import negative_data_rejection, use_after_free

from tests.http.documents import CHECKS, PUBLIC, Installation, one_of_everything
from tests.world import PROMPT_SCHEMA, World

FUNCTIONS = ("marketplace", "studio", "admin")
# Rounds of other scenarios go on until all of DONE was done: ids are new in each installation, and
# so no seed alone promises what a walk comes by.
ROUNDS, SCENARIOS, STEPS = 10, 16, 16
SETTINGS = settings(
    max_examples=SCENARIOS,
    stateful_step_count=STEPS,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# A link's value puts right what was wrong with a path, so what is wrong is refused elsewhere
# (test_documented.py).
WALKED = {function: set(CHECKS) - {negative_data_rejection} for function in FUNCTIONS}
# Staff's DELETE switches off: what runs and models refer to stays to be read (contract 1.10).
WALKED["admin"] -= {use_after_free}
# What scenarios must have done with success, or the links were followed to nothing.
DONE = {
    "marketplace": {
        "GET /models/{slug}",
        "POST /models/{slug}/run",
        "GET /runs/{id}",
        "GET /runs/{id}/status",
        "GET /runs/{id}/receipt",
        "POST /models/{slug}/quote",
        "POST /credits/purchase",
        "GET /credits/purchases/{id}",
    },
    "studio": {
        "POST /tars-models",
        "GET /tars-models/{model_id}",
        "PATCH /tars-models/{model_id}",
        "POST /tars-models/{model_id}/publish",
        "POST /tars-models/{model_id}/archive",
        "DELETE /tars-models/{model_id}",
    },
    "admin": {
        "POST /endpoints",
        "POST /base-models",
        "GET /endpoints/{endpoint_id}",
        "PATCH /endpoints/{endpoint_id}",
        "DELETE /endpoints/{endpoint_id}",
        "GET /base-models/{base_model_id}",
        "PATCH /base-models/{base_model_id}",
        "DELETE /base-models/{base_model_id}",
        "POST /credits/grants",
        "POST /wallets/{consumer_id}/freeze",
    },
}


@pytest.fixture
def installation(world: World) -> Installation:
    return one_of_everything(world)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_was_made_can_be_used_until_it_is_deleted(
    installation: Installation, function: str
) -> None:
    done: set[str] = set()
    walked = walk(installation, function, done)
    for number in range(ROUNDS):
        if not DONE[function] <= done:
            seed(number)(walked).run(settings=SETTINGS)
    assert DONE[function] <= done


def walk(installation: Installation, function: str, done: set[str]) -> type[APIStateMachine]:
    """Scenarios of a function's links; `done` gets the operations that succeeded."""
    headers, session = installation.headers(function), requests.Session()
    base = installation.world.base + PUBLIC[function]
    schema = installation.schema(function)
    schema.config.phases.stateful.inference.algorithms = []  # the document's links and no guesses
    schema.config.generation.with_security_parameters = False  # a walk is the caller's own
    links: Any = schema.as_state_machine()

    class Walk(links):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": base, "headers": headers, "session": session, "timeout": 30}

        def before_call(self, case: Any) -> None:
            if case.meta.generation.mode.is_positive:
                case.body = completed(installation, case.body)
                if "Idempotency-Key" in (case.headers or {}):  # one of an earlier walk is another
                    case.headers["Idempotency-Key"] = str(uuid.uuid4())
                if "slug" in (case.path_parameters or {}):
                    case.path_parameters["slug"] = installation.known["slug"]

        def validate_response(self, response: Response, case: Any, **_: Any) -> None:
            if response.status_code < 300:
                done.add(case.operation.label)
            case.validate_response(
                response,
                checks=list(WALKED[function]),
                headers=headers,
                transport_kwargs={"headers": headers, "timeout": 30},
                recorder=self.recorder,
            )

    return Walk


def completed(installation: Installation, body: Any) -> Any:
    """The body with what no generator thinks of: ids that exist, a schema, clean text."""
    known = {
        "slug": f"walk-{uuid.uuid4()}",
        "runpodEndpointId": uuid.uuid4().hex,
        "gpuType": "A40",
        "name": "Made by a walk",
        "action": "publish",
        "description": "Made by a walk",
        "title": "Made by a walk",
        "baseModelId": installation.known["base_model_id"],
        "endpointId": installation.known["endpoint_id"],
        "inputSchema": PROMPT_SCHEMA,
        "configOverrides": None,
        "inputs": {"prompt": "a lighthouse"},
        "amountCents": 500,
        "returnUrl": None,
        "consumerId": installation.known["consumer_id"],
        "reason": "a walk",
        "giveUp": False,  # the walker stays
        "reference": str(uuid.uuid4()),
    }
    if not isinstance(body, dict):
        return body
    return {name: known.get(name, value) for name, value in body.items()}
