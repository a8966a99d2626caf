"""The route table: what a function answers, to whom, and in which shape."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed
from werkzeug.exceptions import NotFound as WerkzeugNotFound
from werkzeug.routing import Map, Rule
from werkzeug.routing.map import MapAdapter

from common.errors import MethodNotAllowed, RouteNotFound, TarsifyError
from common.http.gate import Tier

Guard = Callable[[Any], Any]
JSON_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Link:
    """A field of an answer that names a thing, and the routes about that thing.

    `field` is a path inside the answer's data, e.g. `executionId` or `0/slug`; a route is written
    `GET /runs/<id>` and has one path parameter, which the field fills.
    """

    field: str
    routes: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """A header that a request may carry, with how long it may be and an expression for it."""

    name: str
    description: str
    longest: int
    pattern: str | None = None


IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "Made by the caller: a repeat under the same key does nothing new and answers what was done",
    255,
)


@dataclass(frozen=True)
class Route:
    """One operation. `guard` finds out who calls and raises if they may not; None is public."""

    method: str
    path: str
    handler: Callable[..., Any]
    summary: str
    out: Any
    guard: Guard | None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    body_limit: int = JSON_BODY_BYTES
    errors: tuple[type[TarsifyError], ...] = ()
    takes: tuple[Header, ...] = ()
    headers: tuple[str, ...] = ()  # of every success, beside those of every answer
    links: tuple[Link, ...] = ()
    hidden: bool = False
    tier: Tier | None = None  # None is limited by nothing
    remembers: bool = False  # whether the answer is kept for a repeat under the same key
    repeatable: bool = False  # whether the handler itself does nothing twice under the same key
    media: str = "application/json"
    also: tuple[int, ...] = ()  # other statuses of a success


@dataclass
class RouteTable:
    """All routes of one function, matched with and without a trailing slash."""

    routes: list[Route] = field(default_factory=list)
    _map: Map = field(default_factory=lambda: Map(strict_slashes=False, merge_slashes=False))
    _bound: MapAdapter | None = None

    def add(self, route: Route) -> None:
        self.routes.append(route)
        self._map.add(Rule(route.path, endpoint=route, methods=[route.method]))
        self._bound = None

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route for a path; raises RouteNotFound or MethodNotAllowed."""
        if self._bound is None:
            self._bound = self._map.bind("tarsify")
        try:
            route, arguments = self._bound.match(path, method="GET" if method == "HEAD" else method)
        except WerkzeugMethodNotAllowed as error:
            allowed = sorted({*(error.valid_methods or ()), "OPTIONS"})
            raise MethodNotAllowed(allowed=allowed) from None
        except WerkzeugNotFound:
            raise RouteNotFound from None
        return route, dict(arguments)

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes)
