"""Who calls: by an ID token of the audience's project, or by an API key that has the scope."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from common.auth import bearer
from common.clock import Clock
from common.db import Database
from common.gateways.identity import Audience, Identities
from common.http import Call
from common.keys.queries import Holder, Kind
from common.keys.service import looks_like_a_key, sign_in

Principal = TypeVar("Principal")
_KINDS: dict[Audience, Kind] = {"users": "consumer", "developers": "developer"}


class Parts(Protocol):
    """What signing in needs; common.runtime.Runtime is one."""

    @property
    def db(self) -> Database: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def identities(self) -> Identities: ...


@dataclass(frozen=True)
class Guard(Generic[Principal]):
    """Finds the principal by uid, or at once by what a key's look-up told.

    `scope` is what a key needs; None lets no key in. Raises the Unauthorized family, KeyNotAllowed,
    AccountSuspended, and what `by_uid` raises.
    """

    parts: Callable[[], Parts]
    audience: Audience
    scope: str | None
    by_uid: Callable[[str], Principal]
    by_key: Callable[[Holder], Principal] | None = None

    def __call__(self, call: Call[Any, Any, Any]) -> Principal:
        parts, token = self.parts(), bearer(call.header("Authorization"))
        if not looks_like_a_key(token):
            uid = parts.identities.verify(token, self.audience).uid
            call.owner = f"{self.audience}:{uid}"
            return self.by_uid(uid)
        with parts.db.step() as connection:
            kind = _KINDS[self.audience]
            now = parts.clock.now()
            holder = sign_in(connection, token, kind=kind, scope=self.scope, now=now)
        call.owner, call.api_key = f"{self.audience}:{holder.firebase_uid}", holder.id
        return self.by_key(holder) if self.by_key else self.by_uid(holder.firebase_uid)
