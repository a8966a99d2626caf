"""Who may call studio: registered developers, or for registration anyone signed in."""

from typing import Any

from common.accounts import service as accounts
from common.accounts.service import Developer
from common.auth import identify
from common.gateways.identity import Identity
from common.http import Call
from common.runtime import runtime


def signed_in(call: Call[Any, Any, Any]) -> Identity:
    """Anyone with an ID token of the developers' project, registered or not."""
    return identify(runtime().identities, call.header("Authorization"), "developers")


def developer(call: Call[Any, Any, Any]) -> Developer:
    """A registered developer; raises DeveloperNotFound or AccountSuspended."""
    identity = signed_in(call)
    with runtime().db.transaction() as session:
        return accounts.developer_of(session, identity.uid)
