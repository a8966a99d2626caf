"""Making, showing, rotating and revoking API keys, and signing in with one."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from common.errors import (
    AccountSuspended,
    Conflict,
    InvalidKey,
    InvalidRequest,
    KeyEnded,
    KeyNotAllowed,
    KeyNotFound,
    TooManyKeys,
)
from common.keys import queries
from common.keys.queries import Holder, Kind
from common.keys.schemas import ConsumerKeyIn, KeyIn, KeyMade, KeyOut
from common.keys.secrets import PREFIX, is_well_formed, key_hash, looks_like_a_key, make_key
from common.keys.tables import ApiKeyRow

__all__ = [
    "Holder",
    "Kind",
    "issue",
    "list_of",
    "looks_like_a_key",
    "revoke",
    "rotate",
    "sign_in",
]
MICRO_CREDITS = 1_000_000
MOST_LIVE = 10
# Two keys of a family may live at once: the one in use and its successor.
MOST_OF_A_FAMILY = 2
_TOUCH_AFTER = timedelta(hours=1)


def sign_in(
    connection: Connection, key: str, *, kind: Kind, scope: str | None, now: datetime
) -> Holder:
    """The account behind a key that may do this; `scope` None: no key may.

    Raises InvalidKey or KeyEnded (401), AccountSuspended or KeyNotAllowed (403).
    """
    found = queries.holder(connection, kind, key_hash(key)) if is_well_formed(key) else None
    if found is None:
        raise InvalidKey
    if found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= now):
        raise KeyEnded
    if found.suspended_at is not None:
        raise AccountSuspended
    if scope is None:
        raise KeyNotAllowed("API keys may not do this. Sign in with an ID token.")
    if scope not in found.scopes:
        raise KeyNotAllowed(f"This API key has no scope {scope}.", scope=scope)
    if found.last_used_at is None or now - found.last_used_at >= _TOUCH_AFTER:
        queries.touch(connection, found.id, now)
    return found


def issue(
    session: Session,
    order: KeyIn | ConsumerKeyIn,
    *,
    kind: Kind,
    owner_id: uuid.UUID,
    key_id: uuid.UUID,
    now: datetime,
) -> KeyMade:
    """Makes a key; a repeat under the same id answers the key's row without the key.

    Raises InvalidRequest (an end that has passed) or TooManyKeys.
    """
    if order.expires_at is not None and order.expires_at <= now:
        raise InvalidRequest.of([{"field": "expiresAt", "message": "has passed already"}])
    values: dict[str, Any] = {
        "id": key_id,
        "family_id": key_id,
        "name": order.name,
        "scopes": sorted(set(order.scopes)),
        "expires_at": order.expires_at,
    }
    if isinstance(order, ConsumerKeyIn) and order.spend_limit_credits is not None:
        values["spend_limit"] = order.spend_limit_credits * MICRO_CREDITS
        values["spend_period"] = order.spend_period
    return _made(session, values, kind=kind, owner_id=owner_id, now=now)


def rotate(
    session: Session,
    key_id: uuid.UUID,
    *,
    kind: Kind,
    owner_id: uuid.UUID,
    new_id: uuid.UUID,
    overlap: timedelta,
    now: datetime,
) -> KeyMade:
    """A successor with the same rights; the old key ends after the overlap.

    Raises KeyNotFound, or Conflict where the key has ended or a successor lives already.
    """
    queries.lock_owner(session, kind, owner_id)
    old = _owned(session, kind, owner_id, key_id)
    repeated = queries.owned(session, kind, owner_id, new_id)
    if repeated is not None:
        return KeyMade(**_shown(repeated, now, {}), key=None)
    if _state(old, now) != "live":
        raise Conflict("This key has ended and cannot be rotated. Make a new one.")
    if queries.live(session, kind=kind, owner_id=owner_id, now=now, family_id=old.family_id) > 1:
        raise Conflict("This key has a successor already. Revoke one of the two first.")
    ends = now + overlap
    values = {
        "id": new_id,
        "family_id": old.family_id,
        "name": old.name,
        "scopes": old.scopes,
        "expires_at": old.expires_at,
        "spend_limit": old.spend_limit,
        "spend_period": old.spend_period,
    }
    old.expires_at = min(ends, old.expires_at or ends)
    session.flush()
    return _made(session, values, kind=kind, owner_id=owner_id, now=now)


def revoke(
    session: Session, key_id: uuid.UUID, *, kind: Kind, owner_id: uuid.UUID, now: datetime
) -> None:
    """Ends a key at once; repeating it changes nothing. Raises KeyNotFound."""
    row = _owned(session, kind, owner_id, key_id)
    row.revoked_at = row.revoked_at or now


def list_of(session: Session, kind: Kind, owner_id: uuid.UUID, now: datetime) -> list[KeyOut]:
    """The owner's keys: all that work, then the newest of the others, a hundred in all."""
    rows = queries.all_of(session, kind, owner_id, now)
    spent = queries.spent(session, [row.family_id for row in rows if row.spend_limit])
    return [KeyOut(**_shown(row, now, spent)) for row in rows]


def _made(
    session: Session, values: dict[str, Any], *, kind: Kind, owner_id: uuid.UUID, now: datetime
) -> KeyMade:
    queries.lock_owner(session, kind, owner_id)
    repeated = queries.owned(session, kind, owner_id, values["id"])
    if repeated is not None:
        return KeyMade(**_shown(repeated, now, {}), key=None)
    if queries.live(session, kind=kind, owner_id=owner_id, now=now) >= MOST_LIVE:
        raise TooManyKeys(f"You have {MOST_LIVE} live keys. Revoke one first.")
    key = make_key()
    values |= {f"{kind}_id": owner_id, "hash": key_hash(key), "last4": key[-4:], "created_at": now}
    queries.add(session, values)
    return KeyMade(**_shown(_owned(session, kind, owner_id, values["id"]), now, {}), key=key)


def _owned(session: Session, kind: Kind, owner_id: uuid.UUID, key_id: uuid.UUID) -> ApiKeyRow:
    row = queries.owned(session, kind, owner_id, key_id)
    if row is None:
        raise KeyNotFound
    return row


def _state(row: ApiKeyRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "live"


def _shown(
    row: ApiKeyRow, now: datetime, spent: dict[tuple[uuid.UUID, Any], int]
) -> dict[str, Any]:
    limit, used = row.spend_limit, None
    if limit is not None:
        since = now.date().replace(day=1) if row.spend_period == "month" else now.date()
        used = spent.get((row.family_id, since), 0) / MICRO_CREDITS
    return {
        "id": row.id,
        "name": row.name,
        "prefix": PREFIX,
        "last4": row.last4,
        "scopes": row.scopes,
        "state": _state(row, now),
        "spend_limit_credits": limit // MICRO_CREDITS if limit is not None else None,
        "spend_period": row.spend_period,
        "spent_credits": used,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }
