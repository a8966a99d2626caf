"""What of a tars model can be changed and deleted, and when (contract 6.2 C11, C12)."""

from typing import Any

import pytest
from sqlalchemy import text

from common.runtime import Runtime
from tests.functions.callers import Studio


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


def test_k5_w03_a_delete_with_a_json_content_type_and_no_body_works(studio: Studio) -> None:
    path = f"/tars-models/{studio.draft()['id']}"
    response = studio.api.send("DELETE", path)
    assert (response.status_code, response.data) == (204, b"")
    assert studio.api.refused("GET", path, status=404)["code"] == "MODEL_NOT_FOUND"
    assert studio.api.ok("GET", "/tars-models") == []


def test_k11_deleting_again_is_no_error(studio: Studio) -> None:
    path = f"/tars-models/{studio.draft()['id']}"
    first = studio.api.send("DELETE", path)
    again = studio.api.send("DELETE", path)
    assert (first.status_code, again.status_code) == (204, 204)


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
