"""Which values of an instance are addresses, by its schema. Pure.

An address may stand anywhere in a form: behind a reference, in one branch of an `anyOf`, in a list
or an object. Each value that any part of the schema calls one is one; a branch that does not apply
costs a look too many, never one too few.
"""

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
_FORMATS = frozenset({"uri", "iri", "uri-reference", "iri-reference", "url"})
_LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf")
_SCHEMAS = ("if", "then", "else")
_OF_OTHER_MEMBERS = ("additionalProperties", "unevaluatedProperties")
_OF_ITEMS = ("items", "contains", "unevaluatedItems")


def mentions_links(schema: Any) -> bool:
    """Whether any part of a schema calls something an address."""
    if isinstance(schema, dict):
        named = schema.get("format") in _FORMATS if isinstance(schema.get("format"), str) else False
        return named or any(mentions_links(part) for part in schema.values())
    return isinstance(schema, list) and any(mentions_links(part) for part in schema)


def links_in(schema: dict[str, Any], instance: Any) -> set[Path]:
    """Where in the instance addresses stand; only texts are found."""
    return set(_Search(schema).through(schema, instance, ()))


class _Search:
    def __init__(self, root: dict[str, Any]) -> None:
        self._definitions = {
            f"#/$defs/{name}": part for name, part in root.get("$defs", {}).items()
        }
        self._seen: set[tuple[int, Path]] = set()

    def through(self, node: Any, value: Any, path: Path) -> Iterator[Path]:
        """Each part of the schema is applied to each value once, however references turn."""
        if not isinstance(node, dict) or (id(node), path) in self._seen:
            return
        self._seen.add((id(node), path))
        if isinstance(value, str) and node.get("format") in _FORMATS:
            yield path
        for part in self._of_the_same(node):
            yield from self.through(part, value, path)
        if isinstance(value, dict):
            for name, member in value.items():
                for part in _of_member(node, name):
                    yield from self.through(part, member, (*path, name))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                for part in _of_item(node, index):
                    yield from self.through(part, item, (*path, index))

    def _of_the_same(self, node: dict[str, Any]) -> Iterator[Any]:
        yield self._definitions.get(node.get("$ref", ""))
        for keyword in _LISTS_OF_SCHEMAS:
            yield from node.get(keyword, ())
        for keyword in _SCHEMAS:
            yield node.get(keyword)
        yield from node.get("dependentSchemas", {}).values()


def _of_member(node: dict[str, Any], name: str) -> Iterator[Any]:
    yield node.get("properties", {}).get(name)
    yield from node.get("patternProperties", {}).values()
    for keyword in _OF_OTHER_MEMBERS:
        yield node.get(keyword)


def _of_item(node: dict[str, Any], index: int) -> Iterator[Any]:
    yield from node.get("prefixItems", [])[index : index + 1]
    for keyword in _OF_ITEMS:
        yield node.get(keyword)
