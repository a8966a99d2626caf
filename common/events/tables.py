"""The event log, for reading. Only event_add writes it."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table


class EventRow(Table):
    """One event of one account. `xid` is the transaction that it was written in."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint("num_nonnulls(consumer_id, developer_id) = 1", name="one_owner"),
        Index(
            "ix_events_consumer_id",
            "consumer_id",
            "xid",
            "id",
            postgresql_where=text("consumer_id IS NOT NULL"),
        ),
        Index(
            "ix_events_developer_id",
            "developer_id",
            "xid",
            "id",
            postgresql_where=text("developer_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(
        BigInteger, server_default=text("pg_current_xact_id()::text::bigint")
    )
    consumer_id: Mapped[uuid.UUID | None]
    developer_id: Mapped[uuid.UUID | None]
    type: Mapped[str] = mapped_column(Text)
    execution_id: Mapped[uuid.UUID | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
