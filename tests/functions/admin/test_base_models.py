"""Base models as staff manage them (contract 1.10)."""

import uuid
from typing import Any

import pytest

from tests.functions.callers import SCHEMA, Catalogue

SHAPE = {
    "id", "endpointId", "slug", "name", "description", "category", "inputSchema",
    "schemaRevision", "outputType", "outputFormat", "outputAdapter", "estimatedSeconds",
    "queueSeconds", "executionTimeoutSeconds", "gpuClass", "minimumPriceCredits", "moderation",
    "isActive",
    "createdAt", "updatedAt", "endpoint",
}  # fmt: skip


def new(catalogue: Catalogue, **changes: Any) -> dict[str, Any]:
    return {
        "endpointId": catalogue.endpoint()["id"],
        "slug": "sdxl",
        "name": "SDXL",
        "category": "IMAGE",
        "inputSchema": SCHEMA,
        "outputType": "IMAGE",
        "outputFormat": "png",
        **changes,
    }


def test_w01_a_base_model_keeps_its_schema(catalogue: Catalogue) -> None:
    body = new(catalogue, description="Pictures", outputAdapter="sdxl", queueSeconds=60)
    made = catalogue.staff.ok("POST", "/base-models", body, status=201)
    assert set(made) == SHAPE
    assert {name: made[name] for name in body} == body
    assert list(made["inputSchema"]["properties"]) == list(SCHEMA["properties"])
    assert (made["estimatedSeconds"], made["executionTimeoutSeconds"]) == (30, 600)
    assert made["endpoint"]["id"] == body["endpointId"]
    assert set(made["endpoint"]) == {"id", "name", "runpodEndpointId"}
    assert catalogue.staff.ok("GET", f"/base-models/{made['id']}") == made


def test_a_slug_of_another_base_model_is_a_conflict(catalogue: Catalogue) -> None:
    catalogue.base_model(slug="sdxl")
    error = catalogue.staff.refused("POST", "/base-models", new(catalogue), status=409)
    assert error["code"] == "BASE_MODEL_SLUG_TAKEN"


def test_an_unknown_endpoint_is_not_found(catalogue: Catalogue) -> None:
    body = new(catalogue, endpointId=str(uuid.uuid4()))
    error = catalogue.staff.refused("POST", "/base-models", body, status=404)
    assert error["code"] == "ENDPOINT_NOT_FOUND"


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "object"}, {"type": "object", "properties": {"a": {"type": "nonsense"}}}],
)
def test_a_schema_that_makes_no_form_is_refused(catalogue: Catalogue, schema: Any) -> None:
    body = new(catalogue, inputSchema=schema)
    error = catalogue.staff.refused("POST", "/base-models", body, status=422)
    assert error["code"] == "INVALID_INPUT_SCHEMA"
    made = catalogue.base_model()
    path = f"/base-models/{made['id']}"
    catalogue.staff.refused("PUT", path, {"inputSchema": schema}, status=422)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Not a slug"),
        ("slug", "x" * 101),
        ("category", "image"),
        ("outputType", "PICTURE"),
        ("outputFormat", ""),
        ("estimatedSeconds", 0),
        ("estimatedSeconds", 3601),
        ("queueSeconds", 1),
        ("executionTimeoutSeconds", 86_401),
        ("inputSchema", "text"),
        ("outputAdapter", "Not An Adapter"),
    ],
)
def test_k9_a_wrong_field_is_refused_by_name(catalogue: Catalogue, field: str, value: Any) -> None:
    body = new(catalogue, **{field: value})
    error = catalogue.staff.refused("POST", "/base-models", body, status=400)
    assert error["details"]["errors"][0]["field"] == field


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_base_model_is_changed_in_part(catalogue: Catalogue, method: str) -> None:
    made = catalogue.base_model()
    moved = catalogue.endpoint()
    changes = {"name": "New", "estimatedSeconds": 5, "endpointId": moved["id"]}
    answer = catalogue.staff.ok(method, f"/base-models/{made['id']}", changes)
    assert {name: answer[name] for name in changes} == changes
    assert answer["endpoint"]["id"] == moved["id"]
    assert (answer["slug"], answer["schemaRevision"]) == (made["slug"], 1)


def test_only_a_changed_schema_is_a_new_revision(catalogue: Catalogue) -> None:
    made = catalogue.base_model()
    path = f"/base-models/{made['id']}"
    same = catalogue.staff.ok("PUT", path, {"inputSchema": made["inputSchema"]})
    assert same["schemaRevision"] == 1
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    other = catalogue.staff.ok("PUT", path, {"inputSchema": schema})
    assert (other["schemaRevision"], other["inputSchema"]) == (2, schema)


def test_a_deleted_base_model_is_switched_off_and_stays(catalogue: Catalogue) -> None:
    path = f"/base-models/{catalogue.base_model()['id']}"
    catalogue.staff.ok("DELETE", path, status=204)
    assert catalogue.staff.ok("GET", path)["isActive"] is False


def test_base_models_are_listed_by_every_filter(catalogue: Catalogue) -> None:
    first = catalogue.base_model(name="A", category="AUDIO")
    catalogue.base_model(name="B", isActive=False)
    listed = catalogue.staff.send("GET", "/base-models").get_json()
    assert [each["name"] for each in listed["data"]] == ["B", "A"]
    assert (set(listed["data"][0]), listed["meta"]["total"]) == (SHAPE, 2)
    for query in ("category=AUDIO", "isActive=true", f"endpointId={first['endpointId']}"):
        found = catalogue.staff.ok("GET", f"/base-models?{query}")
        assert [each["name"] for each in found] == ["A"]


def test_an_unknown_base_model_is_not_found(catalogue: Catalogue) -> None:
    path = f"/base-models/{uuid.uuid4()}"
    for method, body in [("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)]:
        error = catalogue.staff.refused(method, path, body, status=404)
        assert error["code"] == "BASE_MODEL_NOT_FOUND"
