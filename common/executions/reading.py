"""Executions as their owner sees them. Result URLs are signed when they are read."""

import uuid
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from common.credits.service import whole_credits
from common.errors import AccountSuspended, ConsumerNotFound, ExecutionNotFound, Unavailable
from common.executions import queries
from common.executions.billing import billing
from common.executions.outputs import present_output
from common.executions.queries import AnyRow
from common.executions.schemas import (
    Execution,
    ExecutionSummary,
    Queue,
    RunBaseModel,
    RunModel,
    RunsQuery,
    RunStatus,
)
from common.executions.tools import Tools
from common.gateways.errors import GatewayError
from common.http import Page
from common.http.wire import iso_milliseconds


class Sign(Protocol):
    """Makes a short-lived URL of a stored object: (url, ISO time of its end)."""

    def __call__(self, name: str) -> tuple[str, str]: ...


def signer(tools: Tools) -> Sign:
    """Signs for as long as OUTPUT_URL_SECONDS says.

    The function it makes raises Unavailable when nothing can be signed at the moment.
    """

    def sign(name: str) -> tuple[str, str]:
        life = tools.settings.output_url_seconds
        ends = iso_milliseconds(tools.clock.now() + timedelta(seconds=life))
        try:
            return tools.storage.signed_url(name, ttl_s=life), ends
        except GatewayError:
            raise Unavailable from None

    return sign


def execution_row(
    connection: Connection, execution_id: uuid.UUID, consumer_id: uuid.UUID
) -> AnyRow:
    """A consumer's run; raises ExecutionNotFound, also for another's."""
    row = queries.of_consumer(connection, execution_id, consumer_id)
    if row is None:
        raise ExecutionNotFound
    return row


def shown(row: AnyRow, sign: Sign, queue: Queue | None = None) -> Execution:
    """A run as its consumer sees it; signing may ask the network, so no session is open."""
    return Execution(
        **_summary(row),
        input_payload=row.inputs,
        output_payload=_output(row.output, sign),
        queue=queue,
    )


def status_row(connection: Connection, execution_id: uuid.UUID, consumer_id: uuid.UUID) -> AnyRow:
    """A run's state; raises ExecutionNotFound, also for another's."""
    row = queries.status_of(connection, execution_id, consumer_id)
    if row is None:
        raise ExecutionNotFound
    return row


def status_for(connection: Connection, execution_id: uuid.UUID, uid: str) -> AnyRow:
    """A run's state for whoever has this Firebase uid, the most frequent question of all.

    Raises ConsumerNotFound, AccountSuspended, or ExecutionNotFound, also for another's.
    """
    row = queries.status_for(connection, execution_id, uid)
    if row is None:
        raise ConsumerNotFound
    if row.suspended_at is not None:
        raise AccountSuspended
    if row.id is None:
        raise ExecutionNotFound
    return row


def status_shown(row: AnyRow, sign: Sign) -> RunStatus:
    """A run's state as its consumer sees it."""
    return RunStatus(
        id=row.id,
        status=row.status,
        output_payload=_output(row.output, sign),
        error_code=row.error_code,
        error_message=row.error_message,
        completed_at=row.finished_at,
        execution_time_ms=row.execution_ms,
    )


def list_of(session: Session, consumer_id: uuid.UUID, query: RunsQuery) -> Page[ExecutionSummary]:
    """A consumer's runs, newest first."""
    rows, total = queries.page_of_consumer(
        session, consumer_id, status=query.status, offset=query.offset, limit=query.limit
    )
    return Page([ExecutionSummary(**_summary(row)) for row in rows], total, query)


def inputs_of(session: Session, consumer_id: uuid.UUID) -> dict[uuid.UUID, Any]:
    """What a consumer sent with the newest runs, 10,000 and 20 MB at most."""
    return queries.inputs_of(session, consumer_id, limit=10_000, most_bytes=20_000_000)


def run_count(session: Session, consumer_id: uuid.UUID) -> int:
    """How many runs the consumer ever started."""
    return queries.count_of_consumer(session, consumer_id)


def _output(stored: dict[str, Any] | None, sign: Sign) -> Any:
    return present_output(stored, sign) if stored is not None else None


def _summary(row: AnyRow) -> dict[str, Any]:
    base = RunBaseModel(name=row.base_name, category=row.category, output_type=row.base_output_type)
    return {
        "id": row.id,
        "status": row.status,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "price_credits": whole_credits(row.price),
        "billing": billing(row),
        "created_at": row.created_at,
        "started_at": row.started_at,
        "completed_at": row.finished_at,
        "execution_time_ms": row.execution_ms,
        "queue_time_ms": row.delay_ms,
        "tars_model": RunModel(id=row.model_id, slug=row.slug, title=row.title, base_model=base),
    }
