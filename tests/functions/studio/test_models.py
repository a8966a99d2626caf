"""Tars models as the studio client makes and reads them (contract 1.3, 6.2 C7 to C10)."""

import re
import uuid
from typing import Any

import pytest
from sqlalchemy import text

from common.runtime import Runtime
from tests.functions.callers import Api, People, Studio

SHAPE = {
    "id", "developerId", "baseModelId", "title", "slug", "description", "configOverrides",
    "priceCredits", "status", "totalRuns", "createdAt", "updatedAt", "publishedAt", "baseModel",
}  # fmt: skip
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NOBODY = str(uuid.uuid4())


def test_k4_base_models_come_as_one_named_list(studio: Studio) -> None:
    studio.catalogue.base_model(name="Zebra")
    studio.catalogue.base_model(name="Aardvark", category="AUDIO")
    shown = studio.api.ok("GET", "/tars-models/base-models")
    assert [each["name"] for each in shown["baseModels"]] == ["Aardvark", "Zebra"]
    assert set(shown["baseModels"][0]) == {
        "id", "slug", "name", "description", "category", "inputSchema", "outputType",
        "outputFormat", "estimatedSeconds",
    }  # fmt: skip


def test_base_models_can_be_asked_for_by_category_and_by_the_older_path(studio: Studio) -> None:
    studio.catalogue.base_model(category="AUDIO", name="Voice")
    studio.catalogue.base_model()
    studio.api.prefix = "/api/developer"
    shown = studio.api.ok("GET", "/base-models?category=AUDIO")
    assert [each["name"] for each in shown["baseModels"]] == ["Voice"]


def test_only_base_models_that_can_run_are_offered(studio: Studio) -> None:
    endpoint = studio.catalogue.endpoint()
    studio.catalogue.base_model(endpointId=endpoint["id"])
    off = studio.catalogue.base_model()
    studio.catalogue.staff.ok("DELETE", f"/base-models/{off['id']}", status=204)
    studio.catalogue.staff.ok("DELETE", f"/endpoints/{endpoint['id']}", status=204)
    assert studio.api.ok("GET", "/tars-models/base-models") == {"baseModels": []}


def test_k6_k7_w60_a_new_model_is_a_draft_with_its_price(studio: Studio) -> None:
    base = studio.catalogue.base_model()
    body = {
        "baseModelId": base["id"],
        "title": "  Neon Art ",
        "slug": "neon-art",
        "description": "Glows.",
        "priceCredits": 25,
    }
    made = studio.api.ok("POST", "/tars-models", body, status=201)
    assert set(made) == SHAPE
    assert (made["title"], made["slug"], made["status"]) == ("Neon Art", "neon-art", "DRAFT")
    assert (made["priceCredits"], made["totalRuns"], made["publishedAt"]) == (25, 0, None)
    assert made["baseModel"]["inputSchema"] == base["inputSchema"]
    assert studio.api.ok("GET", f"/tars-models/{made['id']}") == made


def test_fields_of_a_schema_keep_the_order_in_which_they_were_written(studio: Studio) -> None:
    made = studio.draft()
    shown = studio.api.ok("GET", f"/tars-models/{made['id']}")
    fields = list(shown["baseModel"]["inputSchema"]["properties"])
    assert fields == ["prompt", "width", "num_inference_steps", "negative_prompt"]


def test_w01_overrides_come_back_with_their_content(studio: Studio) -> None:
    overrides = {"lockedInputs": {"width": 512}, "promptPrefix": "neon, "}
    made = studio.draft(configOverrides=overrides)
    assert made["configOverrides"] == overrides
    assert studio.api.ok("GET", "/tars-models")[0]["configOverrides"] == overrides


@pytest.mark.parametrize("price", [0, -1, 10_001, 10.5, "many", None])
def test_a_price_outside_1_to_10000_whole_credits_is_refused(studio: Studio, price: Any) -> None:
    base = studio.catalogue.base_model()
    body = {"baseModelId": base["id"], "title": "T", "slug": "t-t", "priceCredits": price}
    error = studio.api.refused("POST", "/tars-models", body, status=400)
    assert error["details"]["errors"][0]["field"] == "priceCredits"


@pytest.mark.parametrize("price", [1, 10_000, 10.0])
def test_a_price_of_whole_credits_is_kept(studio: Studio, price: Any) -> None:
    assert studio.draft(priceCredits=price)["priceCredits"] == int(price)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", "x" * 201),
        ("title", "two\nlines"),
        ("slug", "-"),
        ("slug", "käse"),
        ("slug", "under_score"),
        ("slug", "new"),
        ("slug", "x" * 201),
        ("description", "x" * 5001),
        ("baseModelId", "nonsense"),
        ("colour", "red"),
    ],
)
def test_w09_a_wrong_field_is_refused_by_name(studio: Studio, field: str, value: Any) -> None:
    base = studio.catalogue.base_model()
    body = {"baseModelId": base["id"], "title": "T", "slug": "t-t", "priceCredits": 1}
    error = studio.api.refused("POST", "/tars-models", {**body, field: value}, status=400)
    assert error["details"]["errors"][0]["field"] == field
    assert error["message"].startswith(field)


@pytest.mark.parametrize("typed", ["My-Model", "-my-model", "my--model-", " MY---MODEL "])
def test_w65_a_slug_as_forms_make_it_is_tidied(studio: Studio, typed: str) -> None:
    assert studio.draft(slug=typed)["slug"] == "my-model"


def test_w65_a_slug_is_taken_in_any_spelling(studio: Studio, people: People) -> None:
    first = studio.draft(slug="neon")
    other = people.developer("eve")
    body = {
        "baseModelId": first["baseModelId"],
        "title": "Mine",
        "slug": "NEON",
        "priceCredits": 1,
    }
    assert other.refused("POST", "/tars-models", body, status=409)["code"] == "SLUG_TAKEN"


def test_k11_the_same_creation_again_answers_the_same_draft(studio: Studio) -> None:
    base = studio.catalogue.base_model()
    body = {
        "baseModelId": base["id"],
        "title": "Neon",
        "slug": "neon",
        "priceCredits": 3,
        "configOverrides": {"defaultInputs": {"width": 768}},
    }
    first = studio.api.ok("POST", "/tars-models", body, status=201)
    assert studio.api.ok("POST", "/tars-models", body, status=201) == first
    different = {**body, "priceCredits": 4}
    error = studio.api.refused("POST", "/tars-models", different, status=409)
    assert error["code"] == "SLUG_TAKEN"


def test_k11_the_same_creation_much_later_is_a_conflict(studio: Studio, parts: Runtime) -> None:
    first = studio.draft(slug="neon", title="Neon")
    with parts.db.transaction() as session:
        session.execute(text("UPDATE tars_models SET created_at = now() - interval '61 seconds'"))
    body = {
        "baseModelId": first["baseModelId"],
        "title": "Neon",
        "slug": "neon",
        "priceCredits": 5,
    }
    studio.api.refused("POST", "/tars-models", body, status=409)


def test_w07_a_missing_base_model_is_named_in_plain_words(studio: Studio) -> None:
    body = {"baseModelId": NOBODY, "title": "T", "slug": "t-t", "priceCredits": 1}
    error = studio.api.refused("POST", "/tars-models", body, status=404)
    assert error["code"] == "BASE_MODEL_NOT_FOUND"
    assert error["message"] == "There is no such base model."


def test_an_inactive_base_model_is_a_conflict(studio: Studio) -> None:
    base = studio.catalogue.base_model(isActive=False)
    body = {"baseModelId": base["id"], "title": "T", "slug": "t-t", "priceCredits": 1}
    error = studio.api.refused("POST", "/tars-models", body, status=409)
    assert error["code"] == "BASE_MODEL_INACTIVE"


@pytest.mark.parametrize(
    "overrides",
    [
        {"lockedInputs": {"width": 513}},
        {"defaultInputs": {"unknown": 1}},
        {"hiddenFields": ["prompt"]},
    ],
)
def test_w25_overrides_that_do_not_fit_are_refused(studio: Studio, overrides: Any) -> None:
    base = studio.catalogue.base_model()
    body = {"baseModelId": base["id"], "title": "T", "slug": "t-t", "priceCredits": 1}
    error = studio.api.refused(
        "POST", "/tars-models", {**body, "configOverrides": overrides}, status=422
    )
    assert error["details"]["errors"][0]["field"].startswith("configOverrides.")


@pytest.mark.parametrize("overrides", [{"style": "x"}, {"hiddenFields": "width"}, [], "x"])
def test_w25_overrides_of_the_wrong_form_are_refused(studio: Studio, overrides: Any) -> None:
    made = studio.draft()
    error = studio.api.refused(
        "PUT", f"/tars-models/{made['id']}", {"configOverrides": overrides}, status=400
    )
    assert error["details"]["errors"][0]["field"].startswith("configOverrides")


def test_k3_k10_a_list_has_meta_and_readable_dates(studio: Studio) -> None:
    for _ in range(3):
        studio.draft()
    response = studio.api.send("GET", "/tars-models?page=1&limit=2")
    body = response.get_json()
    assert [each["title"] for each in body["data"]] == ["Model 3", "Model 2"]
    assert body["meta"] == {"page": 1, "limit": 2, "total": 3, "totalPages": 2, "pages": 2}
    assert all(ISO.fullmatch(each["createdAt"]) for each in body["data"])
    assert set(body["data"][0]) == SHAPE


def test_k3_an_empty_list_has_meta_as_well(studio: Studio) -> None:
    body = studio.api.send("GET", "/tars-models").get_json()
    assert body["data"] == []
    assert body["meta"]["total"] == 0


def test_w69_a_list_does_not_carry_schemas(studio: Studio) -> None:
    studio.draft()
    assert "inputSchema" not in studio.api.ok("GET", "/tars-models")[0]["baseModel"]


def test_w69_a_page_beyond_the_end_still_knows_the_total(studio: Studio) -> None:
    studio.draft()
    body = studio.api.send("GET", "/tars-models?page=9").get_json()
    assert (body["data"], body["meta"]["total"]) == ([], 1)


def test_models_are_listed_by_status(studio: Studio) -> None:
    studio.draft()
    shown = studio.published()
    listed = studio.api.ok("GET", "/tars-models?status=PUBLISHED")
    assert [each["id"] for each in listed] == [shown["id"]]
    studio.api.refused("GET", "/tars-models?status=published", status=400)


def test_another_developers_model_does_not_exist(studio: Studio, people: People) -> None:
    path = f"/tars-models/{studio.draft()['id']}"
    eve = people.developer("eve")
    attempts = [
        ("GET", path, None),
        ("PUT", path, {"title": "Stolen"}),
        ("DELETE", path, None),
        ("POST", f"{path}/publish", {"action": "publish"}),
        ("POST", f"{path}/archive", None),
        ("GET", f"{path}/preview", None),
        ("POST", f"{path}/preview", {"inputs": {"prompt": "x"}}),
    ]
    for method, target, body in attempts:
        assert eve.refused(method, target, body, status=404)["code"] == "MODEL_NOT_FOUND"
    assert eve.ok("GET", "/tars-models") == []


def test_a_path_that_is_no_uuid_is_a_bad_request(studio: Studio) -> None:
    error = studio.api.refused("GET", "/tars-models/nonsense", status=400)
    assert error["code"] == "INVALID_REQUEST"


def test_the_preview_is_the_form_that_consumers_get(studio: Studio, public: Api) -> None:
    shown = studio.published(configOverrides={"hiddenFields": ["negative_prompt"]})
    form = studio.api.ok("GET", f"/tars-models/{shown['id']}/preview")["inputSchema"]
    assert form == public.ok("GET", f"/models/{shown['slug']}")["inputSchema"]
    assert "negative_prompt" not in form["properties"]


def test_the_preview_of_a_payload_shows_the_developer_everything(studio: Studio) -> None:
    overrides = {"promptPrefix": "neon, ", "lockedInputs": {"width": 512}}
    made = studio.draft(configOverrides=overrides)
    path = f"/tars-models/{made['id']}/preview"
    answer = studio.api.ok("POST", path, {"inputs": {"prompt": "cat"}})
    assert answer["payload"] == {
        "prompt": "neon, cat",
        "width": 512,
        "num_inference_steps": 30,
        "negative_prompt": "",
    }
    error = studio.api.refused("POST", path, {"inputs": {"prompt": "cat", "x": 1}}, status=422)
    assert error["details"]["errors"][0]["field"] == "x"


def test_every_route_wants_a_developer(people: People) -> None:
    stranger = people.stranger("studio")
    unregistered = people.signed_in("studio", "new")
    for path in ("/tars-models", "/tars-models/base-models", f"/tars-models/{NOBODY}"):
        assert stranger.refused("GET", path, status=401)["code"] == "MISSING_TOKEN"
        assert unregistered.refused("GET", path, status=404)["code"] == "DEVELOPER_NOT_FOUND"
