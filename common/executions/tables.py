"""Executions and what belongs to them, for reading. Only functions.sql writes them."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)
ALIVE = text("phase <> 'done'")


class ExecutionRow(Table):
    """One run. Its terms (price, fee, version, time limits) are frozen when it starts."""

    __tablename__ = "executions"
    __table_args__ = (
        Index("executions_due", "next_check_at", "id", postgresql_where=ALIVE),
        Index("executions_of_consumer", "consumer_id", text("created_at DESC"), text("id DESC")),
        Index("executions_of_model", "tars_model_id", "status"),
        Index(
            "executions_tests",
            "developer_id",
            "created_at",
            postgresql_where=text("kind = 'TEST'"),
        ),
        Index(
            "executions_going",
            "consumer_id",
            postgresql_where=text("phase IN ('submitting', 'watching')"),
        ),
        Index(
            "executions_throttled",
            "consumer_id",
            "created_at",
            "id",
            postgresql_where=text("throttled"),
        ),
        Index(
            "executions_measured",
            "endpoint_id",
            text("finished_at DESC"),
            postgresql_where=text("status = 'COMPLETED'"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    consumer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("consumers.id"))
    developer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("developers.id"))
    tars_model_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tars_models.id"))
    version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tars_model_versions.id"))
    base_model_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("base_models.id"))
    endpoint_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runpod_endpoints.id"))
    runpod_endpoint_id: Mapped[str] = mapped_column(Text)
    output_adapter: Mapped[str] = mapped_column(Text)
    output_type: Mapped[str] = mapped_column(Text)
    withheld: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))

    status: Mapped[str] = mapped_column(Text, server_default=text("'PENDING'"))
    phase: Mapped[str] = mapped_column(Text, server_default=text("'waiting'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"))

    price: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    queue_seconds: Mapped[int] = mapped_column(Integer)
    execution_timeout_seconds: Mapped[int] = mapped_column(Integer)

    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    test_fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)
    output: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    error_code: Mapped[str | None] = mapped_column(Text)
    error_message: Mapped[str | None] = mapped_column(Text)

    created_at: Mapped[datetime] = mapped_column(Moment)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    next_check_at: Mapped[datetime | None] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    delay_ms: Mapped[int | None] = mapped_column(BigInteger)
    execution_ms: Mapped[int | None] = mapped_column(BigInteger)
    progress: Mapped[int | None] = mapped_column(SmallInteger)  # percent, as its worker tells it
    # What the GPU cost us, estimated: its price when the run started, and for how long it ran.
    gpu_micro_usd_per_second: Mapped[int | None] = mapped_column(BigInteger)
    gpu_micro_usd: Mapped[int | None] = mapped_column(BigInteger)
    api_key_id: Mapped[uuid.UUID | None]  # with which it was started
    cancel_at: Mapped[datetime | None] = mapped_column(Moment)  # by its consumer's Cancel-After
    # It waits since its consumer has as many runs going as there may be.
    throttled: Mapped[bool] = mapped_column(server_default=text("false"))


class AttemptRow(Table):
    """One submission to RunPod. It exists before RunPod is called."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("execution_id", "n", name="attempts_execution_id_n_key"),
        UniqueConstraint(
            "runpod_endpoint_id", "job_id", name="attempts_runpod_endpoint_id_job_id_key"
        ),
        Index("attempts_to_cancel", "begun_at", "id", postgresql_where=text("want_cancel")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("executions.id"))
    n: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(Text, server_default=text("'intent'"))
    runpod_endpoint_id: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    job_id: Mapped[str | None] = mapped_column(Text)
    polls: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    want_cancel: Mapped[bool] = mapped_column(server_default=text("false"))
    begun_at: Mapped[datetime] = mapped_column(Moment)
    looked_at: Mapped[datetime | None] = mapped_column(Moment)
    deadline_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    error: Mapped[str | None] = mapped_column(Text)


class EventRow(Table):
    """What happened to an execution, for operators."""

    __tablename__ = "execution_events"
    __table_args__ = (Index("execution_events_of", "execution_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    execution_id: Mapped[uuid.UUID]
    attempt_id: Mapped[uuid.UUID | None]
    what: Mapped[str] = mapped_column(Text)
    effect: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)


class AnnouncementRow(Table):
    """The one announcement that an execution has ended."""

    __tablename__ = "announcements"
    __table_args__ = (UniqueConstraint("execution_id", name="announcements_execution_id_key"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    execution_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("executions.id"))
    status: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)


class IdempotencyKeyRow(Table):
    """A key that a caller sent, and the execution that it started."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_age", "created_at"),)

    owner_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    execution_id: Mapped[uuid.UUID]
    created_at: Mapped[datetime] = mapped_column(Moment)


class ChunkRow(Table):
    """A piece of a run's text, in the order in which it came."""

    __tablename__ = "run_chunks"

    execution_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int]
    content: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment, index=True)


class StreamRow(Table):
    """Who takes a run's stream from RunPod at present."""

    __tablename__ = "run_streams"

    execution_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    holder: Mapped[uuid.UUID]
    leased_until: Mapped[datetime] = mapped_column(Moment)
