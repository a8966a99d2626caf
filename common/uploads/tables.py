"""Uploads that were allowed. The file itself is in the bucket, or not there yet."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)


class UploadRow(Table):
    """Where a consumer may put one file of a type, of so many bytes at most."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("most_bytes > 0", name="most_bytes"),
        Index("ix_uploads_consumer_id", "consumer_id", "made_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    consumer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("consumers.id"))
    object_name: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(Text)
    most_bytes: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
