"""The merged document and its page are what the code says, and are served."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from infra.documenting.__main__ import FOLDER, files
from tests.functions.callers import Api

MADE = files()


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_committed_file_is_what_infra_document_writes(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == MADE[name], "run infra/document"


def test_the_merged_document_is_valid_and_has_every_operation_once(public: Api) -> None:
    answer = public.send("GET", "/reference/openapi.json")
    merged: dict[str, Any] = answer.get_json()
    assert list(OpenAPIV31SpecValidator(merged).iter_errors()) == []
    ids = [
        operation["operationId"] for item in merged["paths"].values() for operation in item.values()
    ]
    assert len(ids) == len(set(ids)) > 100
    assert "/api/marketplace/models/{slug}/run" in merged["paths"]
    assert "/api/studio/tars-models" in merged["paths"]


def test_the_page_shows_every_operation_and_needs_nothing_from_outside(public: Api) -> None:
    answer = public.send("GET", "/reference")
    assert answer.content_type == "text/html; charset=utf-8"
    assert "style-src 'unsafe-inline'" in answer.headers["Content-Security-Policy"]
    page = answer.text
    assert page.count("<section") == page.count("curl -X") > 100
    assert "<script" not in page
    assert 'src="' not in page
