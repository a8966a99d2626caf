"""Publishing and archiving (contract 6.2 C13)."""

import re
from typing import Any

import pytest

from tests.functions.callers import Studio

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


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
    error = studio.api.refused("POST", f"/tars-models/{made['id']}/publish", status=422)
    assert error["code"] == "NOT_PUBLISHABLE"


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
