"""The record of what staff did: written in the transaction of the deed, never changed."""

import uuid
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from common.accounts import service as accounts
from common.gateways.identity import Identity
from common.http import Call
from common.runtime import runtime


def note(
    session: Session,
    call: Call[Identity, Any, Any],
    action: str,
    subject: uuid.UUID,
    *,
    before: BaseModel | None = None,
    after: BaseModel | None = None,
) -> None:
    """Who did what to what, and what it was before and after."""
    accounts.note_staff(
        session,
        actor=call.principal.uid,
        action=action,
        subject=subject,
        before=_shown(before),
        after=_shown(after),
        now=runtime().clock.now(),
    )


def _shown(what: BaseModel | None) -> dict[str, Any] | None:
    return what.model_dump(mode="json", by_alias=True) if what is not None else None
