"""The accounts of both sides of the market. Their money is in the ledger, not here."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)


class Account:
    """What consumers and developers have in common: each comes from an identity of its project.

    `email` is what the identity service says, never what a body says; it is null where the
    identity has none.
    """

    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, server_default=text("gen_random_uuid()")
    )
    firebase_uid: Mapped[str] = mapped_column(Text, unique=True)
    email: Mapped[str | None] = mapped_column(Text)
    email_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    avatar_url: Mapped[str | None] = mapped_column(Text)
    suspended_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        Moment, server_default=func.now(), onupdate=func.now()
    )


class Consumer(Account, Table):
    """Someone who buys credits and runs models."""

    __tablename__ = "consumers"
    __table_args__ = (Index("uq_consumers_email", text("lower(email)"), unique=True),)

    name: Mapped[str | None] = mapped_column(Text)


class Developer(Account, Table):
    """Someone who configures, publishes and earns from tars models."""

    __tablename__ = "developers"
    __table_args__ = (
        Index("uq_developers_email", text("lower(email)"), unique=True),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
    )

    display_name: Mapped[str | None] = mapped_column(Text)
    bio: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(Text)
    payout_email: Mapped[str | None] = mapped_column(Text)
    stripe_account_id: Mapped[str | None] = mapped_column(Text)
    verified: Mapped[bool] = mapped_column(server_default=text("false"))


class StaffAction(Table):
    """What a member of staff did, for good: written by SQL functions in the deed's transaction."""

    __tablename__ = "staff_actions"
    __table_args__ = (Index("ix_staff_actions_subject", "subject", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    subject: Mapped[uuid.UUID]
    reason: Mapped[str | None] = mapped_column(Text)
    reference: Mapped[uuid.UUID | None] = mapped_column(unique=True)
    request: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class ConsumerLimitsRow(Table):
    """The one row of what a consumer may have going at once, and a new one may buy in a day."""

    __tablename__ = "consumer_limits"
    __table_args__ = (
        CheckConstraint("the_only", name="one_row"),
        CheckConstraint("concurrent_runs BETWEEN 1 AND 10000", name="concurrent_runs"),
        CheckConstraint("new_account_days BETWEEN 0 AND 365", name="new_account_days"),
        CheckConstraint("new_account_cents_per_day >= 0", name="new_account_cents_per_day"),
    )

    the_only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    concurrent_runs: Mapped[int]
    new_account_days: Mapped[int]
    new_account_cents_per_day: Mapped[int]
