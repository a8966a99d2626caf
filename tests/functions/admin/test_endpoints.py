"""Endpoints as staff manage them (contract 1.10)."""

import uuid
from typing import Any

import pytest

from common.runtime import Runtime, install
from tests.functions.callers import Catalogue, KnownTokens, People

SHAPE = {
    "id", "runpodEndpointId", "name", "source", "dockerImage", "gpuType", "isActive",
    "createdAt", "updatedAt", "_count",
}  # fmt: skip
NEW = {"runpodEndpointId": "abc123", "name": "SDXL", "gpuType": "A40"}


def test_an_endpoint_is_registered_with_its_defaults(people: People) -> None:
    staff = people.staff()
    made = staff.ok("POST", "/endpoints", NEW, status=201)
    assert set(made) == SHAPE
    assert (made["source"], made["dockerImage"], made["isActive"]) == ("HUB", None, True)
    assert made["_count"] == {"baseModels": 0}
    assert staff.ok("GET", f"/endpoints/{made['id']}") == made


def test_the_same_runpod_endpoint_twice_is_a_conflict(people: People) -> None:
    staff = people.staff()
    staff.ok("POST", "/endpoints", NEW, status=201)
    error = staff.refused("POST", "/endpoints", {**NEW, "name": "Other"}, status=409)
    assert error["code"] == "ENDPOINT_TAKEN"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("runpodEndpointId", ""),
        ("runpodEndpointId", "../v2"),
        ("runpodEndpointId", "x" * 101),
        ("name", ""),
        ("gpuType", "x" * 51),
        ("source", "hub"),
        ("dockerImage", "x" * 501),
        ("isActive", "perhaps"),
        ("apiKey", "x"),
    ],
)
def test_a_wrong_field_is_refused_by_name(people: People, field: str, value: Any) -> None:
    error = people.staff().refused("POST", "/endpoints", {**NEW, field: value}, status=400)
    assert error["details"]["errors"][0]["field"] == field


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_endpoint_is_changed_in_part(catalogue: Catalogue, method: str) -> None:
    made = catalogue.endpoint(dockerImage="runpod/x")
    path = f"/endpoints/{made['id']}"
    answer = catalogue.staff.ok(method, path, {"name": "New", "dockerImage": None})
    assert (answer["name"], answer["dockerImage"], answer["gpuType"]) == ("New", None, "A40")
    assert catalogue.staff.ok(method, path, {}) == answer


def test_the_runpod_id_of_an_endpoint_never_changes(catalogue: Catalogue) -> None:
    path = f"/endpoints/{catalogue.endpoint()['id']}"
    error = catalogue.staff.refused("PUT", path, {"runpodEndpointId": "other"}, status=400)
    assert error["details"]["errors"][0]["field"] == "runpodEndpointId"


def test_a_deleted_endpoint_is_switched_off_and_stays(catalogue: Catalogue) -> None:
    path = f"/endpoints/{catalogue.endpoint()['id']}"
    catalogue.staff.ok("DELETE", path, status=204)
    catalogue.staff.ok("DELETE", path, status=204)
    assert catalogue.staff.ok("GET", path)["isActive"] is False


def test_endpoints_are_listed_with_their_number_of_base_models(catalogue: Catalogue) -> None:
    used = catalogue.endpoint(name="Used")
    for _ in range(2):
        catalogue.base_model(endpointId=used["id"])
    catalogue.endpoint(name="Off", isActive=False)
    body = catalogue.staff.send("GET", "/endpoints").get_json()
    assert [(each["name"], each["_count"]["baseModels"]) for each in body["data"]] == [
        ("Off", 0),
        ("Used", 2),
    ]
    assert body["meta"]["total"] == 2
    active = catalogue.staff.ok("GET", "/endpoints?isActive=true")
    inactive = catalogue.staff.ok("GET", "/endpoints?isActive=false")
    assert ([each["name"] for each in active], [each["name"] for each in inactive]) == (
        ["Used"],
        ["Off"],
    )


def test_an_unknown_endpoint_is_not_found(people: People) -> None:
    path = f"/endpoints/{uuid.uuid4()}"
    staff = people.staff()
    for method, body in [("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)]:
        assert staff.refused(method, path, body, status=404)["code"] == "ENDPOINT_NOT_FOUND"


def test_developers_and_consumers_are_no_staff(people: People) -> None:
    developer = people.stranger("admin")
    developer.token = people.developer().token
    assert developer.refused("GET", "/endpoints", status=403)["code"] == "NOT_AN_ADMIN"
    consumer = people.stranger("admin")
    consumer.token = people.consumer().token
    assert consumer.refused("GET", "/endpoints", status=401)["code"] == "WRONG_PROJECT"
    assert people.stranger("admin").refused("GET", "/endpoints", status=401)


def test_w46_staff_by_configuration_need_no_developer_row(
    people: People, parts: Runtime, tokens: KnownTokens
) -> None:
    configured = Runtime(parts.settings.model_copy(update={"admin_uids": ("stan",)}))
    configured.db, configured.identities = parts.db, tokens
    install(configured)
    assert people.signed_in("admin", "stan").ok("GET", "/endpoints") == []
    people.signed_in("admin", "eve").refused("GET", "/endpoints", status=403)


def test_w44_a_database_that_is_down_is_our_fault_and_not_the_callers(
    people: People, parts: Runtime, tokens: KnownTokens
) -> None:
    down = parts.settings.model_copy(
        update={"database_url": "postgresql+pg8000://nobody@127.0.0.1:1/none"}
    )
    broken = Runtime(down)
    broken.identities = tokens
    install(broken)
    for api, path in [
        (people.staff(), "/endpoints"),
        (people.signed_in("studio", "d"), "/auth/me"),
    ]:
        error = api.send("GET", path)
        assert error.status_code in (500, 503)
        assert error.get_json()["error"]["retryable"] is True
        assert "127.0.0.1" not in error.text


def test_w45_there_is_no_init_route(people: People) -> None:
    response = people.stranger("admin").send("POST", "/init", **{"x-super-admin-token": "x"})
    assert response.status_code == 404


def test_w53_what_staff_do_is_in_the_audit_log(people: People) -> None:
    stella = people.staff("stella")
    made = stella.ok("POST", "/endpoints", NEW, status=201)
    (kept,) = stella.ok("GET", f"/actions?subject={made['id']}")
    assert (kept["action"], kept["actor"]) == ("create endpoint", "stella")
    assert (kept["before"], kept["after"]) == (None, made)
