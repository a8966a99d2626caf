"""API keys. Of a key only its hash is kept; what may change of a row is its end."""

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, DateTime, ForeignKey, Index, Text, text
from sqlalchemy import LargeBinary as Bytes
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)


class ApiKeyRow(Table):
    """A key. A rotated key's successor is of the same family and shares its spend limit.

    `spend_limit` in micro-credits for each `spend_period` of UTC.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("spend_limit > 0", name="spend_limit"),
        CheckConstraint("spend_period IN ('day', 'month')", name="spend_period"),
        CheckConstraint("num_nonnulls(consumer_id, developer_id) = 1", name="one_owner"),
        CheckConstraint("(spend_limit IS NULL) = (spend_period IS NULL)", name="limit_has_period"),
        Index(
            "ix_api_keys_consumer_id",
            "consumer_id",
            text("created_at DESC"),
            postgresql_where=text("consumer_id IS NOT NULL"),
        ),
        Index(
            "ix_api_keys_developer_id",
            "developer_id",
            text("created_at DESC"),
            postgresql_where=text("developer_id IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    consumer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("consumers.id"))
    developer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("developers.id"))
    family_id: Mapped[uuid.UUID] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(Bytes, unique=True)
    last4: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(JSONB)
    spend_limit: Mapped[int | None] = mapped_column(BigInteger)
    spend_period: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class SpendingRow(Table):
    """Micro-credits that a family of keys holds or has spent since the first day of a period."""

    __tablename__ = "key_spending"

    family_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    since: Mapped[date] = mapped_column(Date, primary_key=True)
    spent: Mapped[int] = mapped_column(BigInteger)
