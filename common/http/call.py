"""One request as a handler sees it: parsed, checked, and who sent it."""

import uuid
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from werkzeug.wrappers import Request

from common.errors import InvalidRequest
from common.http.parsing import storable

Principal = TypeVar("Principal")
Body = TypeVar("Body")
Query = TypeVar("Query")


@dataclass
class Call(Generic[Principal, Body, Query]):
    """A checked request. `body` and `query` are instances of the classes the route declares."""

    request: Request
    request_id: str
    path: dict[str, str]
    principal: Principal
    body: Body
    query: Query

    def uuid(self, name: str) -> uuid.UUID:
        """A path parameter as a UUID; raises InvalidRequest."""
        try:
            return uuid.UUID(self.path[name])
        except ValueError:
            raise InvalidRequest.of([{"field": name, "message": "must be a UUID"}]) from None

    def header(self, name: str) -> str | None:
        """A request header, or None; raises InvalidRequest where no database could keep it."""
        value: str | None = self.request.headers.get(name)
        if value is not None and not storable(value):
            raise InvalidRequest(f"The header {name} must not contain NUL.")
        return value


@dataclass(frozen=True)
class Reply:
    """An answer with more to say than its data: another status, meta, or headers."""

    data: Any
    status: int = 200
    meta: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """A JSON answer outside the envelope, for formats with a shape of their own (OpenAPI)."""

    data: Any


@dataclass(frozen=True)
class Rendered:
    """A whole answer with its envelope, as bytes."""

    content: bytes
