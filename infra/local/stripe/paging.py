"""Lists with cursors and filters."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from infra.local.stripe.errors import no_such
from infra.local.stripe.parameters import Field, Group, Integer, Several, Text

JSON = dict[str, Any]
BOUNDS: Mapping[str, Callable[[int, int], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
CURSORS = ("limit", "starting_after", "ending_before")


class Moment(Field):
    """An instant in Unix seconds, or bounds for it."""

    def read(self, raw: Any, name: str) -> JSON:
        if isinstance(raw, dict):
            return Group(fields={bound: Integer() for bound in BOUNDS}).read(raw, name)
        return {"gte": (instant := Integer().read(raw, name)), "lte": instant}


def list_fields(*filters: str) -> dict[str, Field]:
    """The parameters of a list that can be narrowed by `filters`."""
    fields: dict[str, Field] = {name: Text() for name in filters}
    fields |= {name: Moment() for name in ("created", "arrival_date") if name in filters}
    if "types" in filters:
        fields["types"] = Several(of=Text(), most=20)
    cursors = {
        "limit": Integer(least=1, most=100),
        "starting_after": Text(),
        "ending_before": Text(),
    }
    return fields | cursors


def page(rows: Sequence[JSON], params: JSON, *, url: str, kind: str) -> JSON:
    """One page of `rows` (given oldest first, answered newest first).

    Raises:
        Refused: a cursor that names no object.
    """
    limit = params.get("limit", 10)
    wanted = list(_matching(reversed(rows), params))
    if cursor := params.get("starting_after"):
        wanted = wanted[_place(wanted, rows, cursor, kind, "starting_after") + 1 :]
    if cursor := params.get("ending_before"):
        before = wanted[: _place(wanted, rows, cursor, kind, "ending_before")]
        return _page(before[-limit:], more=len(before) > limit, url=url)
    return _page(wanted[:limit], more=len(wanted) > limit, url=url)


def whole(rows: Sequence[JSON], *, url: str) -> JSON:
    """All of `rows` as the list that is part of another object, newest first."""
    return _page(list(reversed(rows)), more=False, url=url)


def _page(data: list[JSON], *, more: bool, url: str) -> JSON:
    return {"object": "list", "data": data, "has_more": more, "url": url}


def _matching(rows: Iterator[JSON], params: JSON) -> Iterator[JSON]:
    filters = {name: value for name, value in params.items() if name not in CURSORS}
    return (row for row in rows if all(_fits(row, *each) for each in filters.items()))


def _fits(row: JSON, name: str, wanted: Any) -> bool:
    if name == "types":
        return any(fnmatchcase(row["type"], pattern) for pattern in wanted)
    if isinstance(wanted, dict):
        return all(BOUNDS[bound](row[name], instant) for bound, instant in wanted.items())
    return fnmatchcase(row[name], wanted) if name == "type" else row[name] == wanted


def _place(wanted: list[JSON], rows: Sequence[JSON], cursor: str, kind: str, param: str) -> int:
    for place, row in enumerate(wanted):
        if row["id"] == cursor:
            return place
    if any(row["id"] == cursor for row in rows):
        return len(wanted)  # it exists and the filters leave it out: nothing lies beyond it
    raise no_such(kind, cursor, param=param, status=400)
