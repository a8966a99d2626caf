"""The outbox. A row that is still here has by definition not been done."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Identity, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table


class OutboxRow(Table):
    """Something to do (`topic`) with something (`ref`), not before `due_at`."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("topic", "ref", name="outbox_topic_ref_key"),
        Index("outbox_due", "due_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    ref: Mapped[uuid.UUID]
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    relays: Mapped[int] = mapped_column(Integer, server_default=text("0"))
