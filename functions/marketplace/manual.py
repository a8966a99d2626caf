"""The reference of the whole API: a page, and one OpenAPI document. Written by infra/document."""

from functools import cache
from pathlib import Path

from common.http import Call, File
from common.http.app import Routes

routes = Routes()
OPENAPI = "application/vnd.oai.openapi+json"  # as registered with IANA for these documents
_FOLDER = Path(__file__).parent / "reference"


@routes.route("GET", "/reference", guard=None, media="text/html")
def reference(_call: Call[None, None, None]) -> File:
    """The reference of every route, as a page."""
    return _file("index.html", "text/html; charset=utf-8")


@routes.route("GET", "/reference/openapi.json", guard=None, media=OPENAPI)
def merged_document(_call: Call[None, None, None]) -> File:
    """One OpenAPI document of all functions that people and programs call."""
    return _file("openapi.json", OPENAPI)


@cache
def _file(name: str, content_type: str) -> File:
    return File((_FOLDER / name).read_bytes(), content_type)
