"""All SQL of the API keys that is not in functions.sql."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common.keys.tables import ApiKeyRow, SpendingRow

Kind = Literal["consumer", "developer"]


class Holder(NamedTuple):
    """A key as it signs in, with the account that it belongs to."""

    id: uuid.UUID
    scopes: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    owner_id: uuid.UUID
    firebase_uid: str
    suspended_at: datetime | None


_HOLDER = (
    "SELECT k.id, k.scopes, k.expires_at, k.revoked_at, k.last_used_at, "
    "o.id, o.firebase_uid, o.suspended_at FROM api_keys k JOIN "
)
_HOLDERS: dict[Kind, Any] = {
    "consumer": text(f"{_HOLDER} consumers o ON o.id = k.consumer_id WHERE k.hash = :hash"),
    "developer": text(f"{_HOLDER} developers o ON o.id = k.developer_id WHERE k.hash = :hash"),
}
_LOCKS: dict[Kind, Any] = {
    "consumer": text("SELECT 1 FROM consumers WHERE id = :id FOR NO KEY UPDATE"),
    "developer": text("SELECT 1 FROM developers WHERE id = :id FOR NO KEY UPDATE"),
}
_OWNER: dict[Kind, Any] = {
    "consumer": ApiKeyRow.consumer_id,
    "developer": ApiKeyRow.developer_id,
}


def holder(connection: Connection, kind: Kind, key_hash: bytes) -> Holder | None:
    """The key of that hash and its owner; None for another kind of account's."""
    row = connection.execute(_HOLDERS[kind], {"hash": key_hash}).one_or_none()
    return Holder._make(row) if row else None


def touch(connection: Connection, key_id: uuid.UUID, now: datetime) -> None:
    """The key was used."""
    connection.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(last_used_at=now))


def add(session: Session, values: dict[str, Any]) -> bool:
    """A new key; False where one of that id is there already."""
    statement = insert(ApiKeyRow).values(**values).on_conflict_do_nothing(index_elements=["id"])
    return session.scalar(statement.returning(ApiKeyRow.id)) is not None


def owned(session: Session, kind: Kind, owner_id: uuid.UUID, key_id: uuid.UUID) -> ApiKeyRow | None:
    """The owner's key, locked."""
    query = select(ApiKeyRow).where(ApiKeyRow.id == key_id, _OWNER[kind] == owner_id)
    return session.scalar(query.with_for_update())


def all_of(session: Session, kind: Kind, owner_id: uuid.UUID, now: datetime) -> Sequence[ApiKeyRow]:
    """The owner's keys: those that work, then the newest of the others."""
    ended = or_(ApiKeyRow.revoked_at.is_not(None), ApiKeyRow.expires_at <= now)
    query = select(ApiKeyRow).where(_OWNER[kind] == owner_id)
    newest = query.order_by(func.coalesce(ended, False), ApiKeyRow.created_at.desc(), ApiKeyRow.id)
    return session.scalars(newest.limit(100)).all()


def live(
    session: Session,
    *,
    kind: Kind,
    owner_id: uuid.UUID,
    now: datetime,
    family_id: uuid.UUID | None = None,
) -> int:
    """How many of the owner's keys work at present, of one family or of all."""
    query = select(func.count()).where(
        _OWNER[kind] == owner_id,
        ApiKeyRow.revoked_at.is_(None),
        or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now),
    )
    if family_id is not None:
        query = query.where(ApiKeyRow.family_id == family_id)
    return session.scalar(query) or 0


def lock_owner(session: Session, kind: Kind, owner_id: uuid.UUID) -> None:
    """Two requests of one owner count its keys one after the other."""
    session.execute(_LOCKS[kind], {"id": owner_id})


def spent(session: Session, families: Sequence[uuid.UUID]) -> dict[tuple[uuid.UUID, Any], int]:
    """Micro-credits by family and first day of the period."""
    query = select(SpendingRow).where(SpendingRow.family_id.in_(families))
    return {(row.family_id, row.since): row.spent for row in session.scalars(query)}
