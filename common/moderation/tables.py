"""Refused words, what was found, and reports about models."""

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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)


class TermRow(Table):
    """A word or phrase, folded as texts are before they are compared."""

    __tablename__ = "moderation_terms"

    term: Mapped[str] = mapped_column(Text, primary_key=True)


class FindingRow(Table):
    """Terms that were found in someone's inputs. The inputs themselves are not kept here.

    Where `tested`, `consumer_id` is the developer who tested the model.
    """

    __tablename__ = "moderation_findings"
    __table_args__ = (
        CheckConstraint("mode IN ('warn', 'block')", name="mode"),
        Index("ix_moderation_findings_consumer_id", "consumer_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    mode: Mapped[str] = mapped_column(Text)
    consumer_id: Mapped[uuid.UUID]
    tested: Mapped[bool] = mapped_column(server_default=text("false"))
    tars_model_id: Mapped[uuid.UUID]
    fields: Mapped[list[str]] = mapped_column(JSONB)
    terms: Mapped[list[str]] = mapped_column(JSONB)


class ReportRow(Table):
    """A consumer's complaint about a model; one is open at a time."""

    __tablename__ = "reports"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'upheld', 'dismissed')", name="state"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_has_time"),
        Index(
            "uq_reports_open",
            "consumer_id",
            "tars_model_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_reports_state", "state", "made_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    consumer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("consumers.id"))
    tars_model_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tars_models.id"))
    reason: Mapped[str] = mapped_column(Text)
    details: Mapped[str | None] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
