"""`expand[]`: ids replaced by the objects they name, and lists that come only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from infra.local.stripe.errors import Refused

JSON = dict[str, Any]
LookUp = Callable[[str], JSON | None]
"""An object by its id."""
Include = Callable[[JSON, str], JSON | None]
"""A list that belongs to an object, by the object and the list's name."""

DEEPEST = 4


def expanded(body: JSON, paths: Sequence[str], *, look_up: LookUp, include: Include) -> JSON:
    """`body` with `paths` expanded; the original stays as it is.

    Raises:
        Refused: a path that leads to nothing that can be expanded, or is too deep.
    """
    for path in paths:
        parts = path.split(".")
        if len(parts) > DEEPEST + (parts[0] == "data"):
            raise Refused(
                f"You cannot expand more than {DEEPEST} levels of a property. Property: {path}",
                param="expand",
            )
        body = _expand(body, parts, path, look_up, include)
    return body


def _expand(body: JSON, parts: Sequence[str], path: str, look_up: LookUp, include: Include) -> JSON:
    if not parts:
        return body
    name, rest = parts[0], parts[1:]
    if body.get("object") == "list" and name == "data":
        rows = [_expand(row, rest, path, look_up, include) for row in body["data"]]
        return body | {"data": rows}
    value = body[name] if name in body else include(body, name)
    if value is None and name in body:
        return body
    if isinstance(value, str):
        found = look_up(value)
        if found is None and name == "source":  # a top-up's own object is not kept here
            return body
        value = found
    if not isinstance(value, dict):
        raise Refused(f"This property cannot be expanded ({path}).", param="expand")
    return body | {name: _expand(value, rest, path, look_up, include)}
