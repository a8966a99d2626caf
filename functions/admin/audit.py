"""What staff did, in the log: kept and searchable there, out of reach of those who did it."""

import uuid
from typing import Any

from common import logs
from common.gateways.identity import Identity
from common.http import Call

log = logs.Log("audit")


def note(call: Call[Identity, Any, Any], action: str, subject: uuid.UUID) -> None:
    """Who did what to what."""
    log.info("staff action", action=action, actor=call.principal.uid, subject=subject)
