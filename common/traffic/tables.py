"""Allowances and remembered answers, for reading. Only functions.sql writes them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)


class RateLimitRow(Table):
    """How far ahead of time a caller's requests have come (GCRA's theoretical arrival time)."""

    __tablename__ = "rate_limits"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    tat: Mapped[datetime] = mapped_column(Moment)


class RequestKeyRow(Table):
    """A key that a caller sent with a POST, and what was answered; NULL while it is worked on."""

    __tablename__ = "request_keys"
    __table_args__ = (
        CheckConstraint("length(key) BETWEEN 1 AND 255", name="key"),
        CheckConstraint("(status IS NULL) = (answer IS NULL)", name="answered_with_status"),
    )

    owner: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment, index=True)
    locked_until: Mapped[datetime] = mapped_column(Moment)
