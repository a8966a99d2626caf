"""Nested parameters out of a form: `line_items[0][price_data][currency]=usd`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from infra.local.stripe.errors import Refused

JSON = dict[str, Any]

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def nested(pairs: Iterable[tuple[str, str]]) -> JSON:
    """The pairs as a tree of dictionaries; `name[]` counts up, the last of equal keys wins.

    Raises:
        Refused: a key that cannot be read, or one used both as a value and as a group.
    """
    tree: JSON = {}
    for key, value in pairs:
        _place(tree, key, value)
    return tree


def _place(tree: JSON, key: str, value: str) -> None:
    path = _path(key)
    for part in path[:-1]:
        tree = tree.setdefault(part if part else str(len(tree)), {})
        if not isinstance(tree, dict):
            raise Refused(f"Invalid parameter: {key}", param=path[0])
    last = path[-1]
    if isinstance(tree.get(last), dict):
        raise Refused(f"Invalid parameter: {key}", param=path[0])
    tree[last if last else str(len(tree))] = value


def _path(key: str) -> list[str]:
    match = _KEY.fullmatch(key)
    if match is None:
        raise Refused(f"Invalid parameter: {key}", param=key)
    return [match[1], *_PART.findall(match[2])]
