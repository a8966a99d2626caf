"""One request as a handler sees it: parsed, checked, and who sent it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4, uuid5

from werkzeug.wrappers import Request

from common.errors import InvalidRequest
from common.http.gate import Allowance
from common.http.parsing import storable
from common.http.routes import IDEMPOTENCY_KEY

Principal = TypeVar("Principal")
Body = TypeVar("Body")
Query = TypeVar("Query")
_MADE = UUID("5a0d8c1e-6f0b-4e52-9d35-0f5f4b1d7a66")


@dataclass
class Call(Generic[Principal, Body, Query]):
    """A checked request. `body` and `query` are instances of the classes the route declares."""

    request: Request
    request_id: str
    path: dict[str, str]
    principal: Principal
    body: Body
    query: Query
    owner: str | None = None  # who is limited and whose keys are remembered; set by the guard
    api_key: UUID | None = None  # with which the caller signed in
    allowance: Allowance | None = None

    def uuid(self, name: str) -> UUID:
        """A path parameter as a UUID; raises InvalidRequest."""
        try:
            return UUID(self.path[name])
        except ValueError:
            raise InvalidRequest.of([{"field": name, "message": "must be a UUID"}]) from None

    def header(self, name: str) -> str | None:
        """A request header, or None; raises InvalidRequest where no database could keep it."""
        value: str | None = self.request.headers.get(name)
        if value is not None and not storable(value):
            raise InvalidRequest(f"The header {name} must not contain NUL.")
        return value

    @property
    def idempotency_key(self) -> str | None:
        """The caller's key, without the quotes of the IETF draft's form (market.md 4.2)."""
        key = self.header(IDEMPOTENCY_KEY.name)
        if key is not None and len(key) > 2 and key[0] == key[-1] == '"':
            return key[1:-1]
        return key

    def new_id(self) -> UUID:
        """The id of what this request makes: the same for each repeat under the same key."""
        key = self.idempotency_key
        if key is None or self.owner is None:
            return uuid4()
        return uuid5(_MADE, f"{self.request.method} {self.request.path}|{self.owner}|{key}")


@dataclass(frozen=True)
class Reply:
    """An answer with more to say than its data: another status, meta, or headers.

    `kept` stands in for the data where the answer is remembered for repeats: it has no secrets.
    """

    data: Any
    status: int = 200
    meta: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    kept: Any = None


@dataclass(frozen=True)
class Stream:
    """An answer that comes bit by bit, e.g. server-sent events."""

    chunks: Iterable[bytes]
    content_type: str


@dataclass(frozen=True)
class File:
    """A file as it is; a page may bring its style along, and nothing else."""

    content: bytes
    content_type: str


@dataclass(frozen=True)
class Raw:
    """A JSON answer outside the envelope, for formats with a shape of their own (OpenAPI)."""

    data: Any


@dataclass(frozen=True)
class Rendered:
    """A whole answer with its envelope, as bytes."""

    content: bytes
