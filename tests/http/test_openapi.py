"""The OpenAPI document of each function: valid, complete, and true."""

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from common.http import App
from common.http.openapi import document
from common.http.routes import Route
from tests.http.functions import APPS

FUNCTIONS = sorted(APPS)
ALWAYS = {"500", "503"}


def shown(app: App) -> dict[str, Any]:
    """The document as a client reads it."""
    read: dict[str, Any] = json.loads(json.dumps(document(app)))
    return read


def operations(app: App) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in shown(app)["paths"].items()
        for method, operation in item.items()
    }


def templated(route: Route) -> tuple[str, str]:
    return route.method, re.sub(r"<(\w+)>", r"{\1}", route.path)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_document_is_valid_openapi_3_1(function: str) -> None:
    read = shown(APPS[function])
    assert read["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(read).iter_errors()] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_document_lists_every_route_once(function: str) -> None:
    app = APPS[function]
    routes = [templated(route) for route in app.table if not route.hidden]
    assert len(routes) == len(set(routes))
    assert set(operations(app)) == set(routes)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_hidden_routes_are_other_spellings_of_listed_ones(function: str) -> None:
    app = APPS[function]
    listed = {route.handler for route in app.table if not route.hidden}
    for route in app.table:
        if route.hidden and route.path != "/openapi.json":
            assert route.handler in listed, route.path


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_operation_has_a_name_and_a_sentence_of_its_own(function: str) -> None:
    found = operations(APPS[function])
    names = [operation["operationId"] for operation in found.values()]
    assert len(names) == len(set(names))
    for operation in found.values():
        assert re.fullmatch(r"[A-Z].{5,}[^.]", operation["summary"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_signing_in_is_documented_exactly_where_it_is_asked_for(function: str) -> None:
    app = APPS[function]
    for route in app.table:
        if not route.hidden:
            operation = operations(app)[templated(route)]
            assert ("security" in operation) == (route.guard is not None)
            assert ("401" in operation["responses"]) == (route.guard is not None)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_declared_error_is_documented_by_name(function: str) -> None:
    app = APPS[function]
    for route in app.table:
        if not route.hidden:
            answers = operations(app)[templated(route)]["responses"]
            assert set(answers) >= ALWAYS
            for error in route.errors:
                assert error.code() in answers[str(error.status)]["description"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_body_and_every_answer_has_a_schema(function: str) -> None:
    read = shown(APPS[function])
    for item in read["paths"].values():
        for operation in item.values():
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert (
                    schema["$ref"].removeprefix("#/components/schemas/")
                    in (read["components"]["schemas"])
                )
            for status, answer in operation["responses"].items():
                assert (status == "204") == ("content" not in answer)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_answers_list_every_field_as_required_and_moments_as_moments(function: str) -> None:
    schemas = shown(APPS[function])["components"]["schemas"]
    inputs = {route.body.__name__ for route in APPS[function].table if route.body}
    for name, schema in schemas.items():
        if schema.get("type") == "object" and "properties" in schema and name not in inputs:
            if name in {"Error", "ConfigOverrides"}:
                continue
            assert set(schema["required"]) == set(schema["properties"]), name
        for field, kind in schema.get("properties", {}).items():
            if field.endswith("At") and name not in inputs:
                assert "date-time" in json.dumps(kind), (name, field)


@pytest.mark.parametrize("function", ["marketplace", "studio"])
def test_a_root_names_only_groups_that_exist(function: str) -> None:
    app = APPS[function]
    root, _ = app.table.match("GET", "/")
    paths = [route.path for route in app.table]
    for group in root.handler(None)["endpoints"].values():
        assert [path for path in paths if path.startswith(group)], group
