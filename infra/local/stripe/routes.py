"""A route of the API, and the two that nearly every kind of object has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.local.stripe.paging import list_fields, page
from infra.local.stripe.parameters import Field
from infra.local.stripe.simulator import Simulator

JSON = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request that was found to be in order: whose account, the path's ids, the parameters."""

    owner: str
    ids: Mapping[str, str]
    params: JSON


@dataclass(frozen=True)
class Route:
    """What answers `method` and `path`; a handler is one atomic step, it never waits.

    A POST is the platform's alone unless it is `for_accounts`, connected ones, too.
    """

    method: str
    path: str
    handle: Callable[[Call], JSON]
    fields: Mapping[str, Field] = field(default_factory=dict)
    for_accounts: bool = False


def retrieving(simulator: Simulator, path: str, kind: str, *, param: str = "id") -> Route:
    """`GET path/{id}`; a missing object is reported against `param`."""

    def retrieve(call: Call) -> JSON:
        return simulator.get(kind, call.ids["id"], owner=call.owner, param=param)

    return Route("GET", f"{path}/{{id}}", retrieve)


def listing(simulator: Simulator, path: str, kind: str, *filters: str) -> Route:
    """`GET path`, narrowed by `filters`."""

    def answer(call: Call) -> JSON:
        rows = simulator.store.every(kind, owner=call.owner)
        return page(rows, call.params, url=path, kind=kind)

    return Route("GET", path, answer, list_fields(*filters))


def merged(metadata: Mapping[str, str], change: Mapping[str, str]) -> dict[str, str]:
    """`metadata` with `change` on top; an empty text removes its key."""
    return {name: text for name, text in {**metadata, **change}.items() if text}
