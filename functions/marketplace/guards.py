"""Who may call the marketplace: registered consumers, or for registration anyone signed in.

What names a scope lets API keys with that scope in too; None lets in ID tokens only.
"""

import uuid
from typing import Any

from common.accounts import service as accounts
from common.accounts.service import Consumer
from common.auth import identify
from common.gateways.identity import Identity
from common.http import Call
from common.keys.guards import Guard
from common.keys.schemas import ConsumerScope
from common.runtime import runtime


def signed_in(call: Call[Any, Any, Any]) -> Identity:
    """Anyone with an ID token of the consumers' project, registered or not."""
    identity = identify(runtime().identities, call.header("Authorization"), "users")
    call.owner = f"users:{identity.uid}"
    return identity


def consumer(scope: ConsumerScope | None) -> Guard[Consumer]:
    """A registered consumer; raises ConsumerNotFound or AccountSuspended."""

    def by_uid(uid: str) -> Consumer:
        with runtime().db.transaction() as session:
            return accounts.consumer_of(session, uid)

    return Guard(runtime, "users", scope, by_uid)


def consumer_id(scope: ConsumerScope | None) -> Guard[uuid.UUID]:
    """A registered consumer's id, in one short statement; raises as `consumer` does."""

    def by_uid(uid: str) -> uuid.UUID:
        with runtime().db.step() as connection:
            return accounts.consumer_id_of(connection, uid)

    return Guard(runtime, "users", scope, by_uid, lambda holder: holder.owner_id)


def uid(scope: ConsumerScope) -> Guard[str]:
    """The uid alone, for handlers whose own statement looks the consumer up."""
    return Guard(runtime, "users", scope, lambda found: found, lambda holder: holder.firebase_uid)
