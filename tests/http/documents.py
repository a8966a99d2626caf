"""What the tests of the served documents share: an installation, its schemas, the checks."""

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import schemathesis
from pydantic import ValidationError
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.generation.meta import CoverageScenario, coverage_scenario
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ensure_resource_availability,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
)

from common.errors import MethodNotAllowed
from tests.http.functions import APPS
from tests.world import World

# Left out: positive_data_acceptance, since a model's own schema may refuse inputs that fit the
# document (422), and object_level_authorization, which tests/security/test_access.py does for every
# route and kind of caller.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
    allow_header_conformance,
    ignored_auth,
    use_after_free,
    ensure_resource_availability,
]
PUBLIC = {
    "marketplace": "/api/marketplace",
    "studio": "/api/studio",
    "admin": "/api/admin",
    "callback": "/api/webhooks",
    "payments": "/api/webhooks/stripe",
    "tasks": "/internal/tasks",
    "cleanup": "/internal/cleanup",
}


@dataclass
class Installation:
    """A world with something in it: who calls, and the ids that exist."""

    world: World
    tokens: dict[str, str]
    known: dict[str, str]

    def headers(self, function: str) -> dict[str, str]:
        """What signs the function's caller in; nobody can sign in to webhooks and the internals."""
        token = self.tokens.get(function)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def schema(self, function: str) -> Any:
        """The function's document as it is served."""
        url = f"{self.world.base}{PUBLIC[function]}/openapi.json"
        return schemathesis.openapi.from_dict(requests.get(url, timeout=30).json())

    def known_value(self, path: str, name: str, value: Any) -> Any:
        """The id that exists, for a parameter of that name in that path."""
        if name == "id":
            kinds = {"/purchases/": "purchase", "/tars-models/": "model_id"}
            name = next((kind for part, kind in kinds.items() if part in path), "run")
        return self.known.get(name, value)


def one_of_everything(world: World) -> Installation:
    """Makes an installation, so that requests also hit what exists."""
    developer = world.developer()
    model = world.model(developer=developer)
    consumer = world.consumer(credits_=10_000)
    run = world.run(consumer, model)
    world.ended(consumer, run)
    made = developer.ok("GET", f"/api/studio/tars-models/{model.id}")
    base = world.staff.ok("GET", f"/api/admin/base-models/{made['baseModelId']}")
    callers = {"marketplace": consumer, "studio": developer, "admin": world.staff}
    known = {
        "slug": model.slug,
        "model_id": model.id,
        "base_model_id": base["id"],
        "endpoint_id": base["endpointId"],
        "attempt": str(uuid.uuid4()),
        "token": "token",
        "run": run,
        "purchase": world.bought(consumer, 500)["id"],
        "consumer_id": consumer.ok("GET", "/api/marketplace/auth/me")["id"],
    }
    return Installation(world, {name: str(who.token) for name, who in callers.items()}, known)


def sent(
    installation: Installation, function: str, case: Any, session: requests.Session
) -> Response:
    """Sends a request as the function's caller and checks the answer against the document."""
    headers = {} if _without_sign_in(case) else installation.headers(function)
    if case.path.endswith("/account/delete") and isinstance(case.body, dict):
        case.body = case.body | {"giveUp": False}  # the caller is needed for the next request
    base = installation.world.base + PUBLIC[function]
    response: Response = case.call(base_url=base, headers=headers, session=session, timeout=30)
    case.validate_response(
        response,
        checks=_checks(function, case, response),
        headers=headers,
        transport_kwargs={"headers": headers, "timeout": 30},
    )
    return response


def _checks(function: str, case: Any, response: Response) -> list[Any]:
    """All, unless the query that was to be wrong is right as it was sent: a parameter without a
    value is not sent at all."""
    model = next(
        route.query
        for route in APPS[function].table
        if _templated(route.path) == case.path and route.method == case.operation.method.upper()
    )
    if response.status_code < 300 and model is not None:
        with suppress(ValidationError):
            model.model_validate(dict(parse_qsl(urlsplit(str(response.request.url)).query)))
            return [check for check in CHECKS if check is not negative_data_rejection]
    return CHECKS


def _templated(path: str) -> str:
    return path.replace("<", "{").replace(">", "}")


def is_a_route_of_its_own(function: str, case: Any) -> bool:
    """Whether a method that the operation's path does not document is answered there all the same:
    by the older spelling of another route, or since a word stands where another has an id."""
    if coverage_scenario(case) is not CoverageScenario.UNSPECIFIED_HTTP_METHOD:
        return False
    try:
        APPS[function].table.match(case.method, case.formatted_path)
    except MethodNotAllowed:
        return False
    return True


def _without_sign_in(case: Any) -> bool:
    """Whether the request is about the missing sign-in."""
    data = case.meta.phase.data
    return (
        coverage_scenario(case) is CoverageScenario.MISSING_PARAMETER
        and data.parameter_location is ParameterLocation.HEADER
    )


def aimed_at_what_exists(installation: Installation, case: Any) -> None:
    """Puts existing ids into the path, unless a wrong path is what the request tries."""
    if not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters = {
            name: installation.known_value(case.path, name, value)
            for name, value in (case.path_parameters or {}).items()
        }
