"""Allowing uploads, and turning `tarsify://uploads/<id>` into an address that a worker can read."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.orm import Session

from common.clock import Clock
from common.db import Database
from common.errors import TooManyUploads, Unavailable, UploadNotFound, UploadNotReady
from common.gateways.errors import GatewayError
from common.uploads import queries
from common.uploads.queries import forget
from common.uploads.schemas import UploadIn, UploadListed, UploadOut
from common.uploads.tables import UploadRow

if TYPE_CHECKING:
    from common.gateways.storage import Storage

__all__ = ["PREFIX", "Tools", "allow", "forget", "link", "list_of", "shown"]
PREFIX = "tarsify://uploads/"
# How long the file may take to come, and how long it can be used then.
TO_UPLOAD = timedelta(minutes=30)
TO_USE = timedelta(hours=24)
MOST_WAITING, MOST_WAITING_BYTES = 200, 5 * 1024**3


class Tools(Protocol):
    """What uploads work with; common.runtime.Runtime is one."""

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def upload_storage(self) -> "Storage": ...


def allow(
    session: Session,
    order: UploadIn,
    *,
    consumer_id: uuid.UUID,
    upload_id: uuid.UUID,
    now: datetime,
) -> UploadRow:
    """Writes down that this file may come; a repeat under the same id is the same upload.

    Raises TooManyUploads.
    """
    count, size = queries.waiting(session, consumer_id, now)
    if count >= MOST_WAITING or size + order.bytes > MOST_WAITING_BYTES:
        raise TooManyUploads
    values = {
        "id": upload_id,
        "consumer_id": consumer_id,
        "object_name": f"uploads/{consumer_id}/{upload_id}",
        "content_type": order.content_type,
        "most_bytes": order.bytes,
        "made_at": now,
        "expires_at": now + TO_USE,
    }
    return queries.add(session, values)


def shown(tools: Tools, row: UploadRow) -> UploadOut:
    """The upload with its signed address; raises Unavailable when nothing can be signed."""
    try:
        url, headers = tools.upload_storage.signed_upload(
            row.object_name,
            content_type=row.content_type,
            most_bytes=row.most_bytes,
            ttl_s=int(TO_UPLOAD.total_seconds()),
        )
    except GatewayError:
        raise Unavailable from None
    return UploadOut(
        id=row.id,
        uri=f"{PREFIX}{row.id}",
        method="PUT",
        upload_url=url,
        headers=headers,
        upload_ends_at=tools.clock.now() + TO_UPLOAD,
        expires_at=row.expires_at,
    )


def list_of(session: Session, consumer_id: uuid.UUID) -> list[UploadListed]:
    """A consumer's uploads that are still there."""
    return [UploadListed.model_validate(row) for row in queries.of_consumer(session, consumer_id)]


def link(tools: Tools, uri: str, *, consumer_id: uuid.UUID, seconds: int) -> str:
    """A signed address of the consumer's upload, good for that long (at most 7 days).

    Raises UploadNotFound (also for another's or an expired one), UploadNotReady, Unavailable.
    """
    try:
        upload_id = uuid.UUID(uri.removeprefix(PREFIX))
    except ValueError:
        raise UploadNotFound from None
    with tools.db.step() as connection:
        found = queries.owned(connection, upload_id, consumer_id, tools.clock.now())
    if found is None:
        raise UploadNotFound
    try:
        if not tools.upload_storage.exists(found.object_name):
            raise UploadNotReady
        return tools.upload_storage.signed_url(found.object_name, ttl_s=min(seconds, 7 * 86_400))
    except GatewayError:
        raise Unavailable from None
