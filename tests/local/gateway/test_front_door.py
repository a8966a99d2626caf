"""The table: one origin, every path to its function, nothing internal."""

import pytest

from infra.local.front_door import FrontDoor

TABLE = FrontDoor.read()


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("/health", "marketplace"),
        ("/api/marketplace", "marketplace"),
        ("/api/marketplace/", "marketplace"),
        ("/api/marketplace/models/x", "marketplace"),
        ("/api/consumer/executions", "marketplace"),
        ("/api/studio/tars-models", "studio"),
        ("/api/developer/base-models", "studio"),
        ("/api/admin/base-models", "admin"),
        ("/api/webhooks/runpod/token", "callback"),
        ("/api/webhooks/stripe", "payments"),
        ("/api/webhooks/stripes", "callback"),
        ("/api/marketplaces", None),
        ("/api", None),
        ("/", None),
        ("/tasks", None),
        ("/cleanup", None),
        ("/api%2Fadmin", None),
    ],
)
def test_a_path_leads_to_its_function_by_whole_segments(path: str, function: str | None) -> None:
    assert TABLE.function_for(path) == function


def test_internal_functions_have_no_path() -> None:
    assert TABLE.internal == {"tasks", "cleanup"}
    assert not TABLE.internal & TABLE.functions()


def test_a_table_that_exposes_an_internal_function_is_refused() -> None:
    with pytest.raises(ValueError, match="internal"):
        FrontDoor({"/api/tasks": "tasks"}, frozenset({"tasks"}))
