"""Who may call the marketplace: registered consumers, or for registration anyone signed in."""

import uuid
from typing import Any

from common.accounts import service as accounts
from common.accounts.service import Consumer
from common.auth import identify
from common.gateways.identity import Identity
from common.http import Call
from common.runtime import runtime


def signed_in(call: Call[Any, Any, Any]) -> Identity:
    """Anyone with an ID token of the consumers' project, registered or not."""
    return identify(runtime().identities, call.header("Authorization"), "users")


def consumer(call: Call[Any, Any, Any]) -> Consumer:
    """A registered consumer; raises ConsumerNotFound or AccountSuspended."""
    identity = signed_in(call)
    with runtime().db.transaction() as session:
        return accounts.consumer_of(session, identity.uid)


def consumer_id(call: Call[Any, Any, Any]) -> uuid.UUID:
    """A registered consumer's id, in one short statement; raises as `consumer` does."""
    identity = signed_in(call)
    with runtime().db.step() as connection:
        return accounts.consumer_id_of(connection, identity.uid)
