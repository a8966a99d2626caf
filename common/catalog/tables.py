"""The catalogue: endpoints, base models, and the tars models that developers make of them."""

import uuid
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy import Table as CoreTable
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Source = Literal["HUB", "CUSTOM"]
Category = Literal["IMAGE", "AUDIO", "TEXT", "VIDEO", "DOCUMENT"]
OutputType = Literal["IMAGE", "AUDIO", "TEXT", "VIDEO", "FILE", "JSON"]
Status = Literal["DRAFT", "PUBLISHED", "ARCHIVED"]
Moderation = Literal["off", "warn", "block"]

Moment = DateTime(timezone=True)
EAGER: dict[str, Any] = {"eager_defaults": True}
NEW_ID = text("gen_random_uuid()")
OFFERED = "status = 'PUBLISHED' AND deleted_at IS NULL"


def _one_of(column: str, values: Any) -> CheckConstraint:
    """The column holds one of the literal's words."""
    words = ", ".join(f"'{word}'" for word in get_args(values))
    return CheckConstraint(f"{column} IN ({words})", name=column)


class EndpointRow(Table):
    """A RunPod Serverless endpoint. Its id there is known to staff only."""

    __tablename__ = "runpod_endpoints"
    __mapper_args__ = EAGER
    __table_args__ = (_one_of("source", Source),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    runpod_endpoint_id: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    docker_image: Mapped[str | None] = mapped_column(Text)
    gpu_type: Mapped[str] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        Moment, server_default=func.now(), onupdate=func.now()
    )


class BaseModelRow(Table):
    """What an endpoint can do: the worker's input vocabulary and how its output is read."""

    __tablename__ = "base_models"
    __mapper_args__ = EAGER
    __table_args__ = (
        _one_of("category", Category),
        _one_of("output_type", OutputType),
        _one_of("moderation", Moderation),
        CheckConstraint("estimated_seconds BETWEEN 1 AND 3600", name="estimated_seconds"),
        CheckConstraint("queue_seconds BETWEEN 10 AND 86400", name="queue_seconds"),
        CheckConstraint(
            "execution_timeout_seconds BETWEEN 5 AND 86400", name="execution_timeout_seconds"
        ),
        CheckConstraint("minimum_price_credits BETWEEN 1 AND 10000", name="minimum_price_credits"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    endpoint_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("runpod_endpoints.id", ondelete="RESTRICT"), index=True
    )
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text)
    # Not JSONB: forms show the fields in the order in which they were written.
    input_schema: Mapped[dict[str, Any]] = mapped_column(JSON)
    schema_revision: Mapped[int] = mapped_column(server_default=text("1"))
    output_type: Mapped[str] = mapped_column(Text)
    output_format: Mapped[str] = mapped_column(Text)
    output_adapter: Mapped[str] = mapped_column(Text)
    estimated_seconds: Mapped[int] = mapped_column(server_default=text("30"))
    queue_seconds: Mapped[int] = mapped_column(server_default=text("600"))
    execution_timeout_seconds: Mapped[int] = mapped_column(server_default=text("600"))
    gpu_class: Mapped[str | None] = mapped_column(Text)
    minimum_price_credits: Mapped[int] = mapped_column(server_default=text("1"))
    moderation: Mapped[str] = mapped_column(Text, server_default=text("'off'"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        Moment, server_default=func.now(), onupdate=func.now()
    )


class GpuPriceRow(Table):
    """What a second of a GPU class costs us from a day on, in millionths of a US dollar."""

    __tablename__ = "gpu_prices"
    __table_args__ = (CheckConstraint("micro_usd_per_second >= 0", name="micro_usd_per_second"),)

    gpu_class: Mapped[str] = mapped_column(Text, primary_key=True)
    since: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    micro_usd_per_second: Mapped[int] = mapped_column(BigInteger)


class TarsModelRow(Table):
    """A developer's product. While it is published this row equals its published version."""

    __tablename__ = "tars_models"
    __mapper_args__ = EAGER
    __table_args__ = (
        _one_of("status", Status),
        CheckConstraint("price_credits BETWEEN 1 AND 10000", name="price_credits"),
        CheckConstraint(
            "status <> 'PUBLISHED' OR "
            "(published_version_id IS NOT NULL AND published_at IS NOT NULL)",
            name="published_has_version",
        ),
        CheckConstraint("deleted_at IS NULL OR status <> 'PUBLISHED'", name="deleted_is_hidden"),
        # A draft's slug is free again once it is deleted; a slug that was ever public never is,
        # since links to it are about.
        Index(
            "uq_tars_models_slug",
            text("lower(slug)"),
            unique=True,
            postgresql_where=text("deleted_at IS NULL OR published_at IS NOT NULL"),
        ),
        Index("ix_tars_models_developer", "developer_id", text("created_at DESC"), "id"),
        Index(
            "ix_tars_models_offered",
            text("published_at DESC"),
            "id",
            postgresql_where=text(OFFERED),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    developer_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("developers.id", ondelete="RESTRICT")
    )
    base_model_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("base_models.id", ondelete="RESTRICT"), index=True
    )
    title: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    config_overrides: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    price_credits: Mapped[int]
    status: Mapped[str] = mapped_column(Text, server_default=text("'DRAFT'"))
    published_version_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("tars_model_versions.id", ondelete="RESTRICT", use_alter=True)
    )
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        Moment, server_default=func.now(), onupdate=func.now()
    )
    published_at: Mapped[datetime | None] = mapped_column(Moment)
    suspended_at: Mapped[datetime | None] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)


class VersionRow(Table):
    """What a published tars model was at one time. Never changed: executions point at it."""

    __tablename__ = "tars_model_versions"
    __mapper_args__ = EAGER
    __table_args__ = (
        UniqueConstraint("tars_model_id", "number"),
        CheckConstraint("price_credits BETWEEN 1 AND 10000", name="price_credits"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    tars_model_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("tars_models.id", ondelete="RESTRICT")
    )
    number: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    base_model_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("base_models.id", ondelete="RESTRICT")
    )
    config_overrides: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    price_credits: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())


class StatsRow(Table):
    """Runs counted so far, apart from the model's row so that no run locks it."""

    __tablename__ = "tars_model_stats"

    tars_model_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("tars_models.id", ondelete="RESTRICT"), primary_key=True
    )
    total_runs: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


# One row per run that is not folded into the stats yet: appending takes no lock that two runs
# of one model would share. Without a foreign key, for the same reason; the execution has one.
run_tally = CoreTable(
    "run_tally",
    Table.metadata,
    Column("tars_model_id", Uuid, nullable=False, index=True),
)
