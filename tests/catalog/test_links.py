"""Addresses are found wherever a schema may put them."""

from typing import Any

import pytest

from common.catalog.links import links_in, mentions_links

URI = {"type": "string", "format": "uri"}
DEFINED = {"$defs": {"link": URI, "tree": {"anyOf": [URI, {"items": {"$ref": "#/$defs/tree"}}]}}}


@pytest.mark.parametrize(
    ("own", "value", "found"),
    [
        (URI, "https://a.example", {("x",)}),
        ({"anyOf": [URI, {"type": "null"}]}, "https://a.example", {("x",)}),
        ({"anyOf": [URI, {"type": "null"}]}, None, set()),
        ({"$ref": "#/$defs/link"}, "https://a.example", {("x",)}),
        ({"allOf": [{"$ref": "#/$defs/link"}]}, "https://a.example", {("x",)}),
        ({"items": URI}, ["https://a.example", 7], {("x", 0)}),
        ({"prefixItems": [{}, URI]}, ["a", "https://a.example"], {("x", 1)}),
        ({"properties": {"url": URI}}, {"url": "https://a.example", "b": "c"}, {("x", "url")}),
        ({"additionalProperties": URI}, {"any": "https://a.example"}, {("x", "any")}),
        ({"patternProperties": {"^u": URI}}, {"u1": "https://a.example"}, {("x", "u1")}),
        ({"if": {}, "then": URI}, "https://a.example", {("x",)}),
        (
            {"items": {"properties": {"url": URI}}},
            [{"url": "https://a.example"}],
            {("x", 0, "url")},
        ),
        ({"$ref": "#/$defs/tree"}, [["https://a.example"]], {("x", 0, 0)}),
        ({"type": "string"}, "https://a.example", set()),
    ],
)
def test_an_address_is_found_in_every_shape(
    own: dict[str, Any], value: Any, found: set[tuple[str | int, ...]]
) -> None:
    schema = DEFINED | {"properties": {"x": own}}
    assert links_in(schema, {"x": value}) == found


def test_a_schema_that_turns_in_a_circle_ends() -> None:
    turning = {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}, URI]}
    schema = {"$defs": {"a": turning}, "properties": {"x": {"$ref": "#/$defs/a"}}}
    assert links_in(schema, {"x": "https://a.example"}) == {("x",)}


def test_a_field_that_is_named_format_is_no_address() -> None:
    assert not mentions_links({"properties": {"format": {"enum": ["uri"]}}})
    assert mentions_links({"properties": {"x": {"items": URI}}})
