"""All SQL of executions that is not in functions.sql.

The first half are the steps: one SQL function each, on a connection in autocommit.
"""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, func, select, text
from sqlalchemy.orm import Session

from common.catalog.tables import BaseModelRow, TarsModelRow
from common.executions.tables import AttemptRow, ExecutionRow
from common.payments.tables import EarningRow

AnyRow = Row[*tuple[Any, ...]]
MOST_CHUNKS = 500


class Started(NamedTuple):
    """`outcome` is `started`, or `replayed` when the key was seen before.

    `remaining` micro-credits are left to spend; a test costs nothing and says 0.
    """

    outcome: str
    execution_id: uuid.UUID
    remaining: int = 0


class Begun(NamedTuple):
    """What a fresh attempt submits, and until when it may take (UTC)."""

    runpod_endpoint_id: str
    payload: dict[str, Any]
    queue_seconds: int
    execution_timeout_seconds: int
    deadline_at: datetime


class Observed(NamedTuple):
    """What an observation did; `leftovers`: other jobs of the execution may still run."""

    effect: str
    next_check_at: datetime | None
    leftovers: bool


class Tick(NamedTuple):
    """What is due on an execution now."""

    action: str
    attempt_id: uuid.UUID | None
    next_check_at: datetime | None


class AttemptContext(NamedTuple):
    """What a look at an attempt's job needs to know."""

    attempt_id: uuid.UUID
    execution_id: uuid.UUID
    n: int
    state: str
    token_hash: bytes
    job_id: str | None
    runpod_endpoint_id: str
    begun_at: datetime
    looked_at: datetime | None
    deadline_at: datetime
    polls: int
    phase: str
    output_adapter: str
    output_type: str
    withheld: list[str]
    started_at: datetime | None
    cancel_requested: bool


class JobRef(NamedTuple):
    """A job at RunPod and the attempt it belongs to."""

    attempt_id: uuid.UUID
    runpod_endpoint_id: str
    job_id: str
    begun_at: datetime


_START = text("SELECT * FROM execution_start(:new, :key, :hash, :now)")
_START_TEST = text("SELECT * FROM execution_start_test(:new, :fingerprint, :quota, :now)")
_BEGIN = text("SELECT * FROM execution_begin_attempt(:execution, :attempt, :hash, :now)")
_SUBMITTED = text("SELECT execution_submitted(:attempt, :job, :now)")
_REJECTED = text("SELECT execution_rejected(:attempt, :retryable, :code, :message, :error, :now)")
_OBSERVE = text("SELECT * FROM execution_observe(:attempt, :job, :seen, :source, :details, :now)")
_HASTEN = text("SELECT execution_hasten(:execution, :now)")
_CANCEL = text("SELECT execution_cancel(:execution, :consumer, :now)")
_EXPIRE = text("SELECT executions_expire(:limit, :now)")
_TICK = text("SELECT * FROM execution_tick(:execution, :now)")
_CANCEL_SENT = text("SELECT execution_cancel_sent(:attempt)")
_CANCELS_FORGET = text("SELECT execution_cancels_forget(:now)")
_FORGET_KEYS = text("SELECT idempotency_keys_forget(:now)")
_FORGET_CHUNKS = text("SELECT run_chunks_forget(:now)")
_EARLIER = text(
    "SELECT e.id, k.request_hash, e.price, b.estimated_seconds, "
    "coalesce((SELECT s.posted - s.pending FROM ledger.account a "
    "JOIN ledger.account_state s ON s.account_id = a.id "
    "WHERE a.kind = 'wallet' AND a.owner_id = :consumer), 0) "
    "FROM idempotency_keys k JOIN executions e ON e.id = k.execution_id "
    "JOIN base_models b ON b.id = e.base_model_id WHERE k.owner_id = :consumer AND k.key = :key"
)
_AFTERMATH = text("SELECT what, ref FROM execution_aftermath(:execution, :now)")
_LEASE = text("SELECT run_stream_lease(:execution, :holder, :now)")
_ADD_CHUNKS = text("SELECT run_chunks_add(:execution, :attempt, :pieces, :now)")
_ERASE = text("SELECT consumer_erase(:owner, :give_up, :now)")
_ERASE_DEVELOPER = text("SELECT developer_erase(:owner, :give_up, :now)")
_QUEUE = text(
    "SELECT e.status, e.created_at, e.started_at, e.progress, "
    "(SELECT count(*) FROM executions x WHERE x.endpoint_id = e.endpoint_id AND x.phase <> 'done' "
    "AND x.status IN ('PENDING', 'QUEUED') "
    "AND (x.created_at, x.id) < (e.created_at, e.id)) AS ahead, "
    "t.waited_ms, t.ran_ms FROM executions e, LATERAL ("
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY r.delay_ms) AS waited_ms, "
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY r.execution_ms) AS ran_ms FROM ("
    "SELECT delay_ms, execution_ms FROM executions WHERE endpoint_id = e.endpoint_id "
    "AND status = 'COMPLETED' ORDER BY finished_at DESC LIMIT 50) r) t WHERE e.id = :execution"
)
_CHUNKS = text(
    "SELECT n, attempt, content FROM run_chunks WHERE execution_id = :execution AND n > :after "
    "ORDER BY n LIMIT :most"
)
_EVENTS = text(
    "SELECT v.what, v.effect, v.at, a.n AS attempt FROM execution_events v "
    "LEFT JOIN attempts a ON a.id = v.attempt_id WHERE v.execution_id = :execution ORDER BY v.id"
)
_STREAMS = text("SELECT payload->>'stream' = 'true' FROM executions WHERE id = :execution")
_REFUND = text("SELECT run_refund(:reference, :execution, :actor, :reason, :now)")
_VIOLATIONS = text("SELECT rule, what, difference FROM execution_violation ORDER BY rule, what")


def start(
    connection: Connection,
    new: dict[str, Any],
    *,
    key: str | None,
    request_hash: bytes,
    now: datetime,
) -> Started:
    """Hop 1. Raises DBAPIError with the SQLSTATEs named in functions.sql."""
    parameters = {"new": json.dumps(new), "key": key, "hash": request_hash, "now": now}
    return Started(*connection.execute(_START, parameters).one())


class EarlierStart(NamedTuple):
    """What was started under a key; `price` and `remaining` in micro-credits."""

    execution_id: uuid.UUID
    request_hash: bytes
    price: int
    estimated_seconds: int
    remaining: int


def earlier_start(connection: Connection, consumer_id: uuid.UUID, key: str) -> EarlierStart | None:
    """The start of this consumer under this key, or None."""
    row = connection.execute(_EARLIER, {"consumer": consumer_id, "key": key}).one_or_none()
    return EarlierStart._make(row) if row else None


def start_test(
    connection: Connection, new: dict[str, Any], *, fingerprint: bytes, quota: int, now: datetime
) -> Started:
    """A developer's free test, or the live one that is the same."""
    parameters = {"new": json.dumps(new), "fingerprint": fingerprint, "quota": quota, "now": now}
    return Started(*connection.execute(_START_TEST, parameters).one())


def begin_attempt(
    connection: Connection,
    execution_id: uuid.UUID,
    *,
    attempt_id: uuid.UUID,
    token_hash: bytes,
    now: datetime,
) -> Begun | None:
    """Hop 2, first half; None when there is nothing to submit or another process is at it."""
    parameters = {
        "execution": execution_id,
        "attempt": attempt_id,
        "hash": token_hash,
        "now": now,
    }
    begun, *rest = connection.execute(_BEGIN, parameters).one()
    return Begun(*rest) if begun else None


def submitted(connection: Connection, attempt_id: uuid.UUID, job_id: str, now: datetime) -> str:
    """Hop 2, second half: RunPod took the job."""
    parameters = {"attempt": attempt_id, "job": job_id, "now": now}
    return str(connection.scalar(_SUBMITTED, parameters))


def rejected(
    connection: Connection,
    attempt_id: uuid.UUID,
    *,
    retryable: bool,
    code: str,
    message: str,
    error: str,
    now: datetime,
) -> str:
    """Hop 2, refused: RunPod certainly did not take the job."""
    parameters = {
        "attempt": attempt_id,
        "retryable": retryable,
        "code": code,
        "message": message,
        "error": error,
        "now": now,
    }
    return str(connection.scalar(_REJECTED, parameters))


def observe(
    connection: Connection,
    attempt_id: uuid.UUID,
    *,
    job_id: str,
    seen: str,
    source: str,
    details: dict[str, Any],
    now: datetime,
) -> Observed:
    """Hops 3 and 4: applies what `GET /status` said."""
    parameters = {
        "attempt": attempt_id,
        "job": job_id,
        "seen": seen,
        "source": source,
        "details": json.dumps(details),
        "now": now,
    }
    return Observed(*connection.execute(_OBSERVE, parameters).one())


def hasten(connection: Connection, execution_id: uuid.UUID, now: datetime) -> None:
    """Makes the next look at a running job due at once."""
    connection.execute(_HASTEN, {"execution": execution_id, "now": now})


def cancel(
    connection: Connection, execution_id: uuid.UUID, consumer_id: uuid.UUID, now: datetime
) -> str:
    """`cancelled`, `requested`, `ended` or `unknown`."""
    parameters = {"execution": execution_id, "consumer": consumer_id, "now": now}
    return str(connection.scalar(_CANCEL, parameters))


def refund(
    connection: Connection,
    execution_id: uuid.UUID,
    *,
    reference: uuid.UUID,
    actor: str,
    reason: str,
    now: datetime,
) -> bool:
    """Gives a captured run's price back, once."""
    parameters = {
        "reference": reference,
        "execution": execution_id,
        "actor": actor,
        "reason": reason,
        "now": now,
    }
    return bool(connection.scalar(_REFUND, parameters))


def expire(connection: Connection, *, limit: int, now: datetime) -> int:
    """Ends executions whose life is over, the oldest first; answers how many."""
    return int(connection.scalar(_EXPIRE, {"limit": limit, "now": now}) or 0)


def tick(connection: Connection, execution_id: uuid.UUID, now: datetime) -> Tick:
    """What is due now; `look` leases the execution for 30 seconds."""
    return Tick(*connection.execute(_TICK, {"execution": execution_id, "now": now}).one())


def cancel_sent(connection: Connection, attempt_id: uuid.UUID) -> None:
    connection.execute(_CANCEL_SENT, {"attempt": attempt_id})


def forget(connection: Connection, now: datetime) -> None:
    """Drops keys and streamed text older than a day, and cancels that can never be sent."""
    connection.execute(_FORGET_KEYS, {"now": now})
    connection.execute(_FORGET_CHUNKS, {"now": now})
    connection.execute(_CANCELS_FORGET, {"now": now})


def aftermath(
    connection: Connection, execution_id: uuid.UUID, now: datetime
) -> list[tuple[str, str]]:
    """What follows a run's change: (`deliver`, delivery id) and (`submit`, execution id)."""
    rows = connection.execute(_AFTERMATH, {"execution": execution_id, "now": now})
    return [(what, ref) for what, ref in rows]


def lease_stream(
    connection: Connection, execution_id: uuid.UUID, holder: uuid.UUID, now: datetime
) -> bool:
    """Whether this reader is the one who takes the run's stream for the next 10 seconds."""
    parameters = {"execution": execution_id, "holder": holder, "now": now}
    return bool(connection.scalar(_LEASE, parameters))


def leave_stream(
    connection: Connection, execution_id: uuid.UUID, holder: uuid.UUID, now: datetime
) -> None:
    """Gives the stream up before the 10 seconds are over: it is as if they had begun earlier."""
    lease_stream(connection, execution_id, holder, now - timedelta(seconds=10))


def add_chunks(
    connection: Connection,
    execution_id: uuid.UUID,
    *,
    attempt: int,
    pieces: list[str],
    now: datetime,
) -> None:
    """Keeps pieces of a run's text for everyone who follows it."""
    parameters = {
        "execution": execution_id,
        "attempt": attempt,
        "pieces": json.dumps(pieces),
        "now": now,
    }
    connection.execute(_ADD_CHUNKS, parameters)


def chunks_after(connection: Connection, execution_id: uuid.UUID, after: int) -> list[AnyRow]:
    """The next pieces: n, attempt, content."""
    parameters = {"execution": execution_id, "after": after, "most": MOST_CHUNKS}
    return list(connection.execute(_CHUNKS, parameters))


def is_streamed(connection: Connection, execution_id: uuid.UUID) -> bool:
    """Whether the worker was told to put its text out as it comes."""
    return bool(connection.scalar(_STREAMS, {"execution": execution_id}))


def queue(connection: Connection, execution_id: uuid.UUID) -> AnyRow | None:
    """What an estimate is made of: runs ahead, and the medians of the endpoint's last 50."""
    return connection.execute(_QUEUE, {"execution": execution_id}).one_or_none()


def events_of(connection: Connection, execution_id: uuid.UUID) -> list[AnyRow]:
    """What happened to a run, in its order, for operators."""
    return list(connection.execute(_EVENTS, {"execution": execution_id}))


def erase(connection: Connection, consumer_id: uuid.UUID, *, give_up: bool, now: datetime) -> int:
    """Takes a consumer's words out of everything; answers the micro-credits given up."""
    parameters = {"owner": consumer_id, "give_up": give_up, "now": now}
    return int(connection.scalar(_ERASE, parameters) or 0)


def erase_developer(
    connection: Connection, developer_id: uuid.UUID, *, give_up: bool, now: datetime
) -> int:
    """The same for a developer."""
    parameters = {"owner": developer_id, "give_up": give_up, "now": now}
    return int(connection.scalar(_ERASE_DEVELOPER, parameters) or 0)


def violations(connection: Connection) -> list[AnyRow]:
    """Broken invariants I6 and I7; must be empty."""
    return list(connection.execute(_VIOLATIONS))


_CONTEXT = select(
    AttemptRow.id,
    AttemptRow.execution_id,
    AttemptRow.n,
    AttemptRow.state,
    AttemptRow.token_hash,
    AttemptRow.job_id,
    AttemptRow.runpod_endpoint_id,
    AttemptRow.begun_at,
    AttemptRow.looked_at,
    AttemptRow.deadline_at,
    AttemptRow.polls,
    ExecutionRow.phase,
    ExecutionRow.output_adapter,
    ExecutionRow.output_type,
    ExecutionRow.withheld,
    ExecutionRow.started_at,
    ExecutionRow.cancel_requested,
).join(ExecutionRow, ExecutionRow.id == AttemptRow.execution_id)


_OF_ATTEMPT = _CONTEXT.where(AttemptRow.id == bindparam("attempt"))


def attempt_context(connection: Connection, attempt_id: uuid.UUID) -> AttemptContext | None:
    """An attempt with what its execution says about reading the result."""
    row = connection.execute(_OF_ATTEMPT, {"attempt": attempt_id}).first()
    return AttemptContext._make(row) if row else None


def current_attempt(connection: Connection, execution_id: uuid.UUID) -> AttemptContext | None:
    """The newest attempt of an execution."""
    newest = _CONTEXT.where(AttemptRow.execution_id == execution_id).order_by(AttemptRow.n.desc())
    row = connection.execute(newest.limit(1)).first()
    return AttemptContext._make(row) if row else None


def wanted_cancels(
    connection: Connection, *, execution_id: uuid.UUID | None = None, limit: int
) -> list[JobRef]:
    """Jobs that should be stopped at RunPod, oldest first."""
    query = select(
        AttemptRow.id, AttemptRow.runpod_endpoint_id, AttemptRow.job_id, AttemptRow.begun_at
    ).where(AttemptRow.want_cancel, AttemptRow.job_id.is_not(None))
    if execution_id is not None:
        query = query.where(AttemptRow.execution_id == execution_id)
    rows = connection.execute(query.order_by(AttemptRow.begun_at, AttemptRow.id).limit(limit))
    return [JobRef(attempt, endpoint, job, begun) for attempt, endpoint, job, begun in rows if job]


def overdue(
    connection: Connection, *, now: datetime, patience: timedelta, limit: int
) -> list[uuid.UUID]:
    """Live executions whose time to be looked at passed `patience` ago, oldest first."""
    query = (
        select(ExecutionRow.id)
        .where(ExecutionRow.phase != "done", ExecutionRow.next_check_at <= now - patience)
        .order_by(ExecutionRow.next_check_at, ExecutionRow.id)
        .limit(limit)
    )
    return list(connection.scalars(query))


_SHOWN: tuple[Any, ...] = (
    ExecutionRow.id,
    ExecutionRow.kind,
    ExecutionRow.status,
    ExecutionRow.price,
    ExecutionRow.error_code,
    ExecutionRow.error_message,
    ExecutionRow.created_at,
    ExecutionRow.started_at,
    ExecutionRow.finished_at,
    ExecutionRow.delay_ms,
    ExecutionRow.execution_ms,
    ExecutionRow.fee,
)
_MODEL: tuple[Any, ...] = (
    TarsModelRow.id.label("model_id"),
    TarsModelRow.slug,
    TarsModelRow.title,
    BaseModelRow.name.label("base_name"),
    BaseModelRow.category,
    BaseModelRow.output_type.label("base_output_type"),
    EarningRow.reversed_at,
)
_PAYLOADS: tuple[Any, ...] = (ExecutionRow.inputs, ExecutionRow.output)


def _with_model(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return (
        query.join(TarsModelRow, TarsModelRow.id == ExecutionRow.tars_model_id)
        .join(BaseModelRow, BaseModelRow.id == ExecutionRow.base_model_id)
        .outerjoin(EarningRow, EarningRow.execution_id == ExecutionRow.id)
    )


_OF_CONSUMER = _with_model(select(*_SHOWN, *_PAYLOADS, *_MODEL)).where(
    ExecutionRow.id == bindparam("execution"), ExecutionRow.consumer_id == bindparam("consumer")
)
_STATUS = text(
    "SELECT id, status, error_code, error_message, finished_at, execution_ms, output "
    "FROM executions WHERE id = :execution AND consumer_id = :consumer"
)


_STATUS_FOR = text(
    "SELECT c.suspended_at, e.id, e.status, e.error_code, e.error_message, e.finished_at, "
    "e.execution_ms, e.output FROM consumers c "
    "LEFT JOIN executions e ON e.id = :execution AND e.consumer_id = c.id "
    "WHERE c.firebase_uid = :uid"
)


def of_consumer(
    connection: Connection, execution_id: uuid.UUID, consumer_id: uuid.UUID
) -> AnyRow | None:
    """One execution of this consumer with its model and payloads."""
    parameters = {"execution": execution_id, "consumer": consumer_id}
    return connection.execute(_OF_CONSUMER, parameters).first()


def status_of(
    connection: Connection, execution_id: uuid.UUID, consumer_id: uuid.UUID
) -> AnyRow | None:
    """The few columns that a waiting client asks for again and again."""
    parameters = {"execution": execution_id, "consumer": consumer_id}
    return connection.execute(_STATUS, parameters).first()


def status_for(connection: Connection, execution_id: uuid.UUID, uid: str) -> AnyRow | None:
    """The same with who asks, in one statement: None for nobody, `id` None for no such run."""
    return connection.execute(_STATUS_FOR, {"execution": execution_id, "uid": uid}).first()


def price_of(connection: Connection, execution_id: uuid.UUID) -> int:
    """Micro-credits; 0 for a test."""
    query = select(ExecutionRow.price).where(ExecutionRow.id == execution_id)
    return connection.scalar(query) or 0


def page_of_consumer(
    session: Session, consumer_id: uuid.UUID, *, status: str | None, offset: int, limit: int
) -> tuple[list[AnyRow], int]:
    """A consumer's executions, newest first, without their payloads; and how many there are."""
    mine = [ExecutionRow.consumer_id == consumer_id]
    if status is not None:
        mine.append(ExecutionRow.status == status)
    total = session.scalar(select(func.count()).select_from(ExecutionRow).where(*mine)) or 0
    query = _with_model(select(*_SHOWN, *_MODEL)).where(*mine)
    newest = query.order_by(ExecutionRow.created_at.desc(), ExecutionRow.id.desc())
    return list(session.execute(newest.offset(offset).limit(limit))), total


def inputs_of(
    session: Session, consumer_id: uuid.UUID, *, limit: int, most_bytes: int
) -> dict[uuid.UUID, Any]:
    """The inputs of a consumer's newest runs, so many bytes of them in all."""
    newest = (ExecutionRow.created_at.desc(), ExecutionRow.id.desc())
    size = func.sum(func.pg_column_size(ExecutionRow.inputs)).over(order_by=newest)
    mine = select(ExecutionRow.id, ExecutionRow.inputs, size.label("size")).where(
        ExecutionRow.consumer_id == consumer_id
    )
    found = mine.order_by(*newest).limit(limit).subquery()
    rows = session.execute(select(found.c.id, found.c.inputs).where(found.c.size <= most_bytes))
    return {row.id: row.inputs for row in rows}


def count_of_consumer(session: Session, consumer_id: uuid.UUID) -> int:
    """How many runs the consumer ever started."""
    query = select(func.count()).select_from(ExecutionRow)
    return session.scalar(query.where(ExecutionRow.consumer_id == consumer_id)) or 0


def test_of_developer(
    session: Session, execution_id: uuid.UUID, developer_id: uuid.UUID
) -> AnyRow | None:
    """A developer's test execution."""
    return session.execute(
        select(*_SHOWN, *_PAYLOADS).where(
            ExecutionRow.id == execution_id,
            ExecutionRow.developer_id == developer_id,
            ExecutionRow.kind == "TEST",
        )
    ).first()
