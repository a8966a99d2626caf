"""Who may call admin: staff, by claim or by the configured list. They need no developer row."""

from typing import Any

from common.auth import identify, require_admin
from common.gateways.identity import Identity
from common.http import Call
from common.runtime import runtime


def staff(call: Call[Any, Any, Any]) -> Identity:
    """A member of staff; raises NotAnAdmin for anyone else who is signed in."""
    parts = runtime()
    identity = identify(parts.identities, call.header("Authorization"), "developers")
    call.owner = f"developers:{identity.uid}"
    return require_admin(identity, parts.settings)
