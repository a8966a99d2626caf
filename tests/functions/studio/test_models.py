"""Tars models as the studio client uses them (contract 1.3, 6.2 C7 to C13)."""

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
    studio.api.refused("GET", "/tars-models/nonsense", status=400)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_draft_can_be_changed_in_every_field(studio: Studio, method: str) -> None:
    made = studio.draft(description="Old")
    changes = {
        "title": "New",
        "slug": "newer",
        "description": None,
        "priceCredits": 77,
        "configOverrides": {"lockedInputs": {"width": 512}},
    }
    answer = studio.api.ok(method, f"/tars-models/{made['id']}", changes)
    assert {name: answer[name] for name in changes} == changes
    assert answer["updatedAt"] >= made["updatedAt"]


def test_w68_an_empty_description_clears_it_and_an_empty_title_is_refused(studio: Studio) -> None:
    path = f"/tars-models/{studio.draft(description='Old')['id']}"
    assert studio.api.ok("PUT", path, {"description": ""})["description"] is None
    assert studio.api.refused("PUT", path, {"title": ""}, status=400)["message"].startswith("title")


def test_null_clears_the_overrides_and_nothing_leaves_them(studio: Studio) -> None:
    made = studio.draft(configOverrides={"promptPrefix": "neon "})
    path = f"/tars-models/{made['id']}"
    assert studio.api.ok("PUT", path, {})["configOverrides"] == {"promptPrefix": "neon "}
    assert studio.api.ok("PUT", path, {"configOverrides": None})["configOverrides"] is None


def test_a_slug_of_another_model_is_a_conflict_on_change_too(studio: Studio) -> None:
    studio.draft(slug="taken")
    path = f"/tars-models/{studio.draft()['id']}"
    assert studio.api.refused("PUT", path, {"slug": "Taken"}, status=409)["code"] == "SLUG_TAKEN"


def test_k16_a_published_model_accepts_its_own_title_and_price(studio: Studio) -> None:
    shown = studio.published(title="Neon", priceCredits=9)
    body = {"title": "Neon", "description": "Better words", "priceCredits": 9}
    answer = studio.api.ok("PUT", f"/tars-models/{shown['id']}", body)
    assert (answer["description"], answer["status"]) == ("Better words", "PUBLISHED")


@pytest.mark.parametrize("change", [{"title": "Other"}, {"slug": "other"}, {"priceCredits": 99}])
def test_w64_a_published_model_keeps_what_consumers_rely_on(studio: Studio, change: Any) -> None:
    path = f"/tars-models/{studio.published()['id']}"
    assert studio.api.refused("PUT", path, change, status=409)["code"] == "FROZEN_FIELD"


def test_w64_a_slug_that_was_public_stays_after_archiving(studio: Studio) -> None:
    path = f"/tars-models/{studio.published()['id']}"
    studio.api.ok("POST", f"{path}/archive")
    studio.api.refused("PUT", path, {"slug": "other"}, status=409)
    assert studio.api.ok("PUT", path, {"title": "Other"})["title"] == "Other"


def test_w64_each_public_configuration_is_a_version(studio: Studio, parts: Runtime) -> None:
    shown = studio.published()
    path = f"/tars-models/{shown['id']}"
    studio.api.ok("PUT", path, {"configOverrides": {"lockedInputs": {"width": 512}}})
    studio.api.ok("PUT", path, {"configOverrides": {"lockedInputs": {"width": 512}}})
    studio.api.ok("PUT", path, {"description": "No new version"})
    with parts.db.transaction() as session:
        versions = session.execute(
            text("SELECT number, config_overrides FROM tars_model_versions ORDER BY number")
        ).all()
    assert [tuple(each) for each in versions] == [(1, None), (2, {"lockedInputs": {"width": 512}})]


@pytest.mark.parametrize("body", [{"action": "publish"}, None])
def test_publishing_sets_status_and_date(studio: Studio, body: Any) -> None:
    path = f"/tars-models/{studio.draft()['id']}"
    answer = studio.api.ok("POST", f"{path}/publish", body)
    assert answer["status"] == "PUBLISHED"
    assert ISO.fullmatch(answer["publishedAt"])


def test_w67_publishing_and_archiving_again_change_nothing(studio: Studio) -> None:
    path = f"/tars-models/{studio.draft()['id']}"
    first = studio.api.ok("POST", f"{path}/publish", {"action": "publish"})
    assert studio.api.ok("POST", f"{path}/publish", {"action": "publish"}) == first
    archived = studio.api.ok("POST", f"{path}/publish", {"action": "archive"})
    assert archived["status"] == "ARCHIVED"
    assert studio.api.ok("POST", f"{path}/archive") == archived


def test_w67_the_first_day_of_publication_stays(studio: Studio) -> None:
    first = studio.published()
    path = f"/tars-models/{first['id']}"
    studio.api.ok("POST", f"{path}/archive")
    again = studio.api.ok("POST", f"{path}/publish")
    assert again["publishedAt"] == first["publishedAt"]


def test_w70_an_archived_model_can_be_changed_and_published_again(studio: Studio) -> None:
    path = f"/tars-models/{studio.published()['id']}"
    studio.api.ok("POST", f"{path}/archive")
    studio.api.ok("PUT", path, {"priceCredits": 42, "title": "Restored"})
    again = studio.api.ok("POST", f"{path}/publish")
    assert (again["status"], again["priceCredits"], again["title"]) == ("PUBLISHED", 42, "Restored")


def test_an_unknown_action_is_refused(studio: Studio) -> None:
    path = f"/tars-models/{studio.draft()['id']}"
    error = studio.api.refused("POST", f"{path}/publish", {"action": "explode"}, status=400)
    assert error["code"] == "UNSUPPORTED_ACTION"


def test_w63_a_model_on_a_base_model_that_is_off_cannot_be_published(studio: Studio) -> None:
    made = studio.draft()
    staff = studio.catalogue.staff
    staff.ok("DELETE", f"/base-models/{made['baseModelId']}", status=204)
    path = f"/tars-models/{made['id']}/publish"
    error = studio.api.refused("POST", path, {"action": "publish"}, status=422)
    assert error["code"] == "NOT_PUBLISHABLE"
    assert error["details"]["errors"][0]["field"] == "baseModelId"


def test_w63_a_model_on_an_endpoint_that_is_off_cannot_be_published(studio: Studio) -> None:
    made = studio.draft()
    staff = studio.catalogue.staff
    endpoint = staff.ok("GET", f"/base-models/{made['baseModelId']}")["endpointId"]
    staff.ok("PATCH", f"/endpoints/{endpoint}", {"isActive": False})
    studio.api.refused("POST", f"/tars-models/{made['id']}/publish", status=422)


def test_w63_overrides_that_a_new_schema_broke_cannot_be_published(studio: Studio) -> None:
    made = studio.draft(configOverrides={"lockedInputs": {"width": 512}})
    smaller = {
        "type": "object",
        "properties": {"prompt": {"type": "string"}},
        "required": ["prompt"],
    }
    staff = studio.catalogue.staff
    staff.ok("PATCH", f"/base-models/{made['baseModelId']}", {"inputSchema": smaller})
    path = f"/tars-models/{made['id']}/publish"
    error = studio.api.refused("POST", path, status=422)
    assert error["details"]["errors"][0]["field"] == "configOverrides.lockedInputs.width"


def test_k5_w03_a_delete_with_a_json_content_type_and_no_body_works(studio: Studio) -> None:
    path = f"/tars-models/{studio.draft()['id']}"
    response = studio.api.send("DELETE", path)
    assert (response.status_code, response.data) == (204, b"")
    assert studio.api.refused("GET", path, status=404)["code"] == "MODEL_NOT_FOUND"
    assert studio.api.ok("GET", "/tars-models") == []


def test_k11_deleting_again_is_no_error(studio: Studio) -> None:
    path = f"/tars-models/{studio.draft()['id']}"
    studio.api.ok("DELETE", path, status=204)
    studio.api.ok("DELETE", path, status=204)


def test_a_published_model_is_not_deleted(studio: Studio) -> None:
    path = f"/tars-models/{studio.published()['id']}"
    assert studio.api.refused("DELETE", path, status=409)["code"] == "INVALID_STATUS"


def test_k17_w66_an_archived_model_is_deleted_and_keeps_its_rows(
    studio: Studio, parts: Runtime
) -> None:
    path = f"/tars-models/{studio.published()['id']}"
    studio.api.ok("POST", f"{path}/archive")
    studio.api.ok("DELETE", path, status=204)
    studio.api.refused("POST", f"{path}/publish", status=404)
    with parts.db.transaction() as session:
        kept = session.execute(
            text("SELECT count(*) FROM tars_models WHERE deleted_at IS NOT NULL")
        )
        assert kept.scalar_one() == 1


def test_a_deleted_drafts_slug_is_free_and_a_published_ones_is_not(studio: Studio) -> None:
    draft = studio.draft(slug="free")
    studio.api.ok("DELETE", f"/tars-models/{draft['id']}", status=204)
    assert studio.draft(slug="free")["id"] != draft["id"]
    shown = studio.published(slug="kept")
    studio.api.ok("POST", f"/tars-models/{shown['id']}/archive")
    studio.api.ok("DELETE", f"/tars-models/{shown['id']}", status=204)
    body = {
        "baseModelId": shown["baseModelId"],
        "title": "T",
        "slug": "kept",
        "priceCredits": 1,
    }
    studio.api.refused("POST", "/tars-models", body, status=409)


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
