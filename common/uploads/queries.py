"""All SQL of the uploads."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common.uploads.tables import UploadRow


class Found(NamedTuple):
    """An upload that may be used."""

    object_name: str
    content_type: str


_LOCK = text("SELECT 1 FROM consumers WHERE id = :consumer FOR NO KEY UPDATE")
_WAITING = text(
    "SELECT count(*), coalesce(sum(most_bytes), 0)::bigint FROM uploads "
    "WHERE consumer_id = :consumer AND expires_at > :now"
)
_FORGET = text("SELECT uploads_forget(:now)")
_OWNED = text(
    "SELECT object_name, content_type FROM uploads "
    "WHERE id = :id AND consumer_id = :consumer AND expires_at > :now"
)


def forget(connection: Connection, now: datetime) -> None:
    """Drops uploads that can be used no more."""
    connection.execute(_FORGET, {"now": now})


def of_consumer(session: Session, consumer_id: uuid.UUID) -> Sequence[UploadRow]:
    """What a consumer was allowed to upload and may still be used."""
    query = select(UploadRow).where(UploadRow.consumer_id == consumer_id)
    return session.scalars(query.order_by(UploadRow.expires_at.desc())).all()


def add(session: Session, values: dict[str, Any]) -> UploadRow:
    """The upload; one of that id that is there already stays as it is."""
    session.execute(
        insert(UploadRow).values(**values).on_conflict_do_nothing(index_elements=["id"])
    )
    return session.get_one(UploadRow, values["id"])


def waiting(session: Session, consumer_id: uuid.UUID, now: datetime) -> tuple[int, int]:
    """How many uploads of the consumer can still be used, and how many bytes they may have."""
    session.execute(_LOCK, {"consumer": consumer_id})
    count, size = session.execute(_WAITING, {"consumer": consumer_id, "now": now}).one()
    return count, size


def owned(
    connection: Connection, upload_id: uuid.UUID, consumer_id: uuid.UUID, now: datetime
) -> Found | None:
    """The consumer's upload, unless it has expired."""
    parameters = {"id": upload_id, "consumer": consumer_id, "now": now}
    row = connection.execute(_OWNED, parameters).one_or_none()
    return Found._make(row) if row else None
