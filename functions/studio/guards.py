"""Who may call studio: registered developers, or for registration anyone signed in.

What names a scope lets API keys with that scope in too; None lets in ID tokens only.
"""

import uuid
from typing import Any

from common.accounts import service as accounts
from common.accounts.service import Developer
from common.auth import identify
from common.gateways.identity import Identity
from common.http import Call
from common.keys.guards import Guard
from common.keys.schemas import DeveloperScope
from common.runtime import runtime


def signed_in(call: Call[Any, Any, Any]) -> Identity:
    """Anyone with an ID token of the developers' project, registered or not."""
    identity = identify(runtime().identities, call.header("Authorization"), "developers")
    call.owner = f"developers:{identity.uid}"
    return identity


def developer(scope: DeveloperScope | None) -> Guard[Developer]:
    """A registered developer; raises DeveloperNotFound or AccountSuspended."""

    def by_uid(uid: str) -> Developer:
        with runtime().db.transaction() as session:
            return accounts.developer_of(session, uid)

    return Guard(runtime, "developers", scope, by_uid)


def developer_id(scope: DeveloperScope | None) -> Guard[uuid.UUID]:
    """A registered developer's id; raises as `developer` does."""

    def by_uid(uid: str) -> uuid.UUID:
        with runtime().db.transaction() as session:
            return accounts.developer_of(session, uid).id

    return Guard(runtime, "developers", scope, by_uid, lambda holder: holder.owner_id)
