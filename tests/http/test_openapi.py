"""The OpenAPI document of each function: valid, complete, and true."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from common.http import IDEMPOTENCY_KEY, App, In
from common.http.openapi import document
from common.http.routes import Route
from tests.http.functions import APPS

FUNCTIONS = sorted(APPS)
ALWAYS = {"500", "503"}
# Staff have these ids from people, who had them from the marketplace.
GIVEN_BY_PEOPLE = {"money_refund_run_post", "money_refund_purchase_post"}


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
def test_headers_are_documented_where_they_are_read(function: str) -> None:
    app = APPS[function]
    for route in app.table:
        if not route.hidden:
            told = operations(app)[templated(route)]["parameters"]
            names = [each["name"] for each in told if each["in"] == "header"]
            read = re.findall(r'call\.header\("(\w+-Key)"\)', inspect.getsource(route.handler))
            assert set(read) <= set(names), route.path
            assert names == [each.name for each in route.takes]


OWN_KEYS = {
    "marketplace POST /models/<slug>/run",
    "marketplace POST /executions",
}


def test_every_post_of_a_person_takes_an_idempotency_key_and_remembers_its_answer() -> None:
    """But for those whose key is part of the step that moves the money."""
    posts = {
        f"{name} {route.method} {route.path}": route
        for name in ("marketplace", "studio", "admin")
        for route in APPS[name].table
        if route.method == "POST" and route.guard is not None
    }
    assert all(IDEMPOTENCY_KEY in route.takes for route in posts.values())
    assert {row for row, route in posts.items() if not route.remembers} == OWN_KEYS


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
    inputs = {model.__name__ for model in taken()}
    for name, schema in schemas.items():
        if schema.get("type") == "object" and "properties" in schema and name not in inputs:
            if name in {"Error", "ConfigOverrides"}:
                continue
            assert set(schema["required"]) == set(schema["properties"]), name
        for field, kind in schema.get("properties", {}).items():
            if field.endswith("At") and name not in inputs:
                assert "date-time" in json.dumps(kind), (name, field)


def taken(model: type[BaseModel] = In) -> Iterator[type[BaseModel]]:
    """Every shape that callers send, also those inside others."""
    yield model
    for each in model.__subclasses__():
        yield from taken(each)


@pytest.mark.parametrize("function", ["marketplace", "studio"])
def test_a_root_names_only_groups_that_exist(function: str) -> None:
    app = APPS[function]
    root, _ = app.table.match("GET", "/")
    paths = [route.path for route in app.table]
    for group in root.handler(None)["endpoints"].values():
        assert [path for path in paths if path.startswith(group)], group


@pytest.mark.parametrize("function", FUNCTIONS)
def test_limits_are_written_in_the_words_of_json_schema(function: str) -> None:
    written = json.dumps(shown(APPS[function]))
    for lost in ("ge", "gt", "le", "lt", "min_length", "max_length"):
        assert f'"{lost}":' not in written


@pytest.mark.parametrize("function", ["marketplace", "studio", "admin"])
def test_whatever_has_an_id_in_its_path_is_linked_from_where_the_id_is_answered(
    function: str,
) -> None:
    found = operations(APPS[function])
    linked = {link["operationId"] for each in found.values() for link in links_of(each)}
    ids = {each["operationId"] for (_, path), each in found.items() if "{" in path}
    assert linked == ids - GIVEN_BY_PEOPLE


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_link_fills_every_parameter_in_the_path_from_a_field_that_is_answered(
    function: str,
) -> None:
    app = APPS[function]
    names = {
        each["operationId"]: set(re.findall(r"{(\w+)}", path))
        for (_, path), each in operations(app).items()
    }
    for each in operations(app).values():
        for link in links_of(each):
            assert set(link["parameters"]) == names[link["operationId"]]
            for expression in link["parameters"].values():
                field = expression.rsplit("/", 1)[1]
                assert field in answered_fields(app, each), (each["operationId"], expression)


def links_of(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The links of every answer of an operation."""
    return [
        link for each in operation["responses"].values() for link in each.get("links", {}).values()
    ]


def answered_fields(app: App, operation: dict[str, Any]) -> set[str]:
    """The fields of what an operation answers, or of each item in it."""
    status = min(operation["responses"])
    data = operation["responses"][status]["content"]["application/json"]["schema"]["properties"][
        "data"
    ]
    name = data.get("items", data)["$ref"].rsplit("/", 1)[1]
    return set(shown(app)["components"]["schemas"][name]["properties"])
