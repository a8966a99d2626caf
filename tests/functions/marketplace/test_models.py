"""The public catalogue (contract 1.6)."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from common.catalog.schemas.public import PublicModelItem, PublicModelOut
from common.runtime import Runtime
from tests.functions.callers import Api, Studio

FLAT = ("category", "outputType", "outputFormat", "estimatedSeconds")
ITEM = {
    "id", "slug", "title", "description", "priceCredits", "totalRuns", "publishedAt",
    "developer", "baseModel", *FLAT,
}  # fmt: skip


def slugs(public: Api, query: str = "") -> list[str]:
    return [each["slug"] for each in public.ok("GET", f"/models{query}")]


def test_browsing_needs_no_token_and_shows_the_newest_first(studio: Studio, public: Api) -> None:
    for name in ("one", "two", "three"):
        studio.published(slug=name)
    studio.draft(slug="hidden")
    assert slugs(public) == ["three", "two", "one"]


def test_w60_a_card_has_price_runs_and_the_base_model_nested_and_flat(
    studio: Studio, public: Api
) -> None:
    shown = studio.published(title="Neon", priceCredits=12, description="Glows.")
    (card,) = public.ok("GET", "/models")
    assert set(card) == ITEM
    assert (card["title"], card["priceCredits"], card["totalRuns"]) == ("Neon", 12, 0)
    assert card["developer"] == {"id": shown["developerId"], "name": "Dora"}
    assert {name: card[name] for name in FLAT} == {name: card["baseModel"][name] for name in FLAT}
    assert card["baseModel"]["name"] == shown["baseModel"]["name"]


def test_cards_and_details_are_what_the_document_says(studio: Studio, public: Api) -> None:
    shown = studio.published(description="Glows.")
    (card,) = public.ok("GET", "/models")
    assert PublicModelItem.model_validate(card).model_dump(mode="json", by_alias=True) == card
    detail = public.ok("GET", f"/models/{shown['slug']}")
    assert PublicModelOut.model_validate(detail).model_dump(mode="json", by_alias=True) == detail
    assert card["publishedAt"] == detail["publishedAt"] == shown["publishedAt"]


def test_w06_meta_has_every_name_of_the_number_of_pages(studio: Studio, public: Api) -> None:
    base = studio.catalogue.base_model()["id"]
    for _ in range(5):
        studio.published(baseModelId=base)
    body = public.send("GET", "/models?limit=2&page=2").get_json()
    assert len(body["data"]) == 2
    assert body["meta"] == {"page": 2, "limit": 2, "total": 5, "totalPages": 3, "pages": 3}


def test_w69_pages_are_stable_where_dates_are_equal(
    studio: Studio, public: Api, parts: Runtime
) -> None:
    base = studio.catalogue.base_model()["id"]
    every = {studio.published(baseModelId=base)["slug"] for _ in range(6)}
    with parts.db.transaction() as session:
        session.execute(text("UPDATE tars_models SET published_at = '2026-01-01T00:00:00Z'"))
    pages = [slugs(public, f"?limit=2&page={page}") for page in (1, 2, 3)]
    assert {slug for page in pages for slug in page} == every


def test_w69_a_page_beyond_the_end_still_knows_the_total(studio: Studio, public: Api) -> None:
    studio.published()
    body = public.send("GET", "/models?page=7").get_json()
    assert (body["data"], body["meta"]["total"]) == ([], 1)


def test_w69_a_list_does_not_carry_schemas(studio: Studio, public: Api) -> None:
    studio.published()
    assert "inputSchema" not in public.send("GET", "/models").text


@pytest.mark.parametrize(
    "query", ["?limit=101", "?page=0", "?category=image", "?colour=red", "?search=%00"]
)
def test_a_wrong_filter_is_refused(public: Api, query: str) -> None:
    error = public.refused("GET", f"/models{query}", status=400)
    assert error["code"] == "INVALID_REQUEST"


def test_models_are_found_by_category(studio: Studio, public: Api) -> None:
    studio.published(slug="picture")
    audio = studio.catalogue.base_model(category="AUDIO")
    studio.published(slug="voice", baseModelId=audio["id"])
    assert slugs(public, "?category=AUDIO") == ["voice"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("NEON", ["neon-art"]),
        ("on-ar", ["neon-art"]),
        ("blurs", ["soft"]),
        ("100%25", ["soft"]),
        ("%25", ["soft"]),
        ("_", []),
        ("nothing", []),
        ("", ["soft", "neon-art"]),
    ],
)
def test_models_are_found_by_any_part_of_their_words(
    studio: Studio, public: Api, search: str, found: list[str]
) -> None:
    studio.published(slug="neon-art", title="Neon Art", description="Glows in the dark")
    studio.published(slug="soft", title="Soft", description="Blurs 100% of it")
    assert slugs(public, f"?search={search}") == found


def test_models_that_cannot_run_leave_the_list_and_come_back(studio: Studio, public: Api) -> None:
    shown = studio.published()
    staff = studio.catalogue.staff
    base = staff.ok("GET", f"/base-models/{shown['baseModelId']}")
    for path in (f"/base-models/{base['id']}", f"/endpoints/{base['endpointId']}"):
        staff.ok("PATCH", path, {"isActive": False})
        assert slugs(public) == []
        public.refused("GET", f"/models/{shown['slug']}", status=404)
        staff.ok("PATCH", path, {"isActive": True})
        assert slugs(public) == [shown["slug"]]


def test_a_suspended_developers_models_are_not_offered(
    studio: Studio, public: Api, parts: Runtime
) -> None:
    shown = studio.published()
    with parts.db.transaction() as session:
        session.execute(text("UPDATE developers SET suspended_at = now()"))
    assert slugs(public) == []
    public.refused("GET", f"/models/{shown['slug']}", status=404)


def test_w24_the_form_is_what_the_developer_left_open(studio: Studio, public: Api) -> None:
    overrides = {
        "hiddenFields": ["negative_prompt"],
        "lockedInputs": {"width": 512, "negative_prompt": "blurry"},
        "defaultInputs": {"num_inference_steps": 20},
        "promptPrefix": "secret sauce, ",
    }
    shown = studio.published(configOverrides=overrides)
    detail = public.ok("GET", f"/models/{shown['slug']}")
    assert set(detail) == {*ITEM, "inputSchema"}
    fields = detail["inputSchema"]["properties"]
    assert list(fields) == ["prompt", "width", "num_inference_steps"]
    assert (fields["width"]["readOnly"], fields["width"]["default"]) == (True, 512)
    assert fields["num_inference_steps"]["default"] == 20
    assert detail["baseModel"]["inputSchema"] == detail["inputSchema"]


def test_w22_w23_nothing_hidden_and_nothing_of_runpod_is_in_public(
    studio: Studio, public: Api
) -> None:
    base = studio.catalogue.base_model()
    overrides = {
        "hiddenFields": ["negative_prompt"],
        "lockedInputs": {"negative_prompt": "worst quality"},
        "promptPrefix": "secret sauce, ",
        "promptSuffix": " in oil",
    }
    shown = studio.published(baseModelId=base["id"], configOverrides=overrides)
    said = public.send("GET", f"/models/{shown['slug']}").text + public.send("GET", "/models").text
    secrets = ["secret sauce", " in oil", "worst quality", "negative_prompt", "configOverrides"]
    secrets += [
        base["endpoint"]["runpodEndpointId"],
        base["endpointId"],
        base["id"],
        "output_adapter",
    ]
    assert [secret for secret in secrets if secret in said] == []


def test_a_new_configuration_shows_at_once(studio: Studio, public: Api) -> None:
    shown = studio.published()
    path = f"/models/{shown['slug']}"
    assert "readOnly" not in json.dumps(public.ok("GET", path))
    change = {"configOverrides": {"lockedInputs": {"width": 768}}}
    studio.api.ok("PUT", f"/tars-models/{shown['id']}", change)
    assert public.ok("GET", path)["inputSchema"]["properties"]["width"]["default"] == 768


def test_a_new_schema_of_the_base_model_shows_at_once(studio: Studio, public: Api) -> None:
    shown = studio.published()
    path = f"/models/{shown['slug']}"
    public.ok("GET", path)
    schema: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
    staff = studio.catalogue.staff
    staff.ok("PUT", f"/base-models/{shown['baseModelId']}", {"inputSchema": schema})
    assert list(public.ok("GET", path)["inputSchema"]["properties"]) == ["text"]


def test_a_slug_is_found_in_any_spelling(studio: Studio, public: Api) -> None:
    studio.published(slug="neon")
    assert public.ok("GET", "/models/NEON")["slug"] == "neon"


def test_w07_drafts_archived_and_unknown_models_are_not_there(studio: Studio, public: Api) -> None:
    draft = studio.draft()
    archived = studio.published()
    studio.api.ok("POST", f"/tars-models/{archived['id']}/archive")
    for slug in (
        draft["slug"],
        archived["slug"],
        "nothing",
        "%25",
        "%00",
        "%ff",
        "Kelvin-%E2%84%AA",
    ):
        error = public.refused("GET", f"/models/{slug}", status=404)
        assert (error["code"], error["message"]) == ("MODEL_NOT_FOUND", "There is no such model.")


def test_runs_are_counted_before_and_after_they_are_folded(
    studio: Studio, public: Api, parts: Runtime
) -> None:
    shown = studio.published()
    path = f"/models/{shown['slug']}"
    tally = text("INSERT INTO run_tally (tars_model_id) SELECT id FROM tars_models")
    with parts.db.step() as connection:
        for _ in range(3):
            connection.execute(tally)
        assert public.ok("GET", path)["totalRuns"] == 3
        assert connection.execute(text("SELECT fold_run_tallies()")).scalar_one() == 3
        connection.execute(tally)
        assert public.ok("GET", path)["totalRuns"] == 4
        assert connection.execute(text("SELECT fold_run_tallies()")).scalar_one() == 1
        assert connection.execute(text("SELECT fold_run_tallies()")).scalar_one() == 0
    assert public.ok("GET", "/models")[0]["totalRuns"] == 4
    assert studio.api.ok("GET", f"/tars-models/{shown['id']}")["totalRuns"] == 4
