"""Who is told of events, and how each delivery went."""

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)
STANDING = text("execution_id IS NULL AND deleted_at IS NULL")
WAITING = text("state = 'waiting'")


class EndpointRow(Table):
    """An address that is told of an account's events, or of one run's (`execution_id`).

    No event type means all. While a secret is rotated both sign until `old_secret_until`.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("num_nonnulls(consumer_id, developer_id) = 1", name="one_owner"),
        Index("ix_webhook_endpoints_consumer_id", "consumer_id", postgresql_where=STANDING),
        Index(
            "ix_webhook_endpoints_of_runs",
            "created_at",
            postgresql_where=text("execution_id IS NOT NULL"),
        ),
        Index("ix_webhook_endpoints_developer_id", "developer_id", postgresql_where=STANDING),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    consumer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("consumers.id"))
    developer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("developers.id"))
    execution_id: Mapped[uuid.UUID | None] = mapped_column(unique=True)
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    event_types: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    secret: Mapped[str] = mapped_column(Text)
    old_secret: Mapped[str | None] = mapped_column(Text)
    old_secret_until: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    disabled_for: Mapped[str | None] = mapped_column(Text)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)


class RunSecretRow(Table):
    """What a consumer's webhooks of single runs are signed with."""

    __tablename__ = "run_webhook_secrets"

    consumer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("consumers.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(Moment)


class DeliveryRow(Table):
    """One event for one endpoint. While it waits it is tried when due, and again after a pause."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'delivered', 'failed', 'dropped')", name="state"),
        UniqueConstraint("event_id", "endpoint_id"),
        Index("ix_deliveries_waiting", "due_at", "id", postgresql_where=WAITING),
        Index(
            "ix_deliveries_in_order",
            "execution_id",
            "endpoint_id",
            "id",
            postgresql_where=text("state = 'waiting' AND execution_id IS NOT NULL"),
        ),
        Index("ix_deliveries_ended", "endpoint_id", "ended_at"),
        Index("ix_deliveries_endpoint_id", "endpoint_id", text("id DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    endpoint_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    execution_id: Mapped[uuid.UUID | None]
    state: Mapped[str] = mapped_column(Text, server_default=text("'waiting'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(Moment)
    made_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class DeliveryAttemptRow(Table):
    """One try of a delivery: the receiver's status, or why there was none."""

    __tablename__ = "delivery_attempts"

    delivery_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)
    took_ms: Mapped[int]
