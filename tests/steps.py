"""The steps of executions at a clock that the test turns, and what the database says after."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from common.credits import queries as credits_queries
from common.credits.queries import WalletState
from common.credits.tables import MICRO_CREDITS
from common.db import Database, sqlstate
from common.executions import queries
from common.executions.queries import Observed, Started, Tick
from common.executions.tables import AnnouncementRow, AttemptRow, EventRow, ExecutionRow
from common.outbox import queries as outbox
from common.payments import queries as payment_queries
from tests import factories
from tests.factories import NOW, Offer

OUTPUT = {"outputs": [{"type": "text", "text": "done"}]}


@dataclass
class Steps:
    """Each method is one SQL function called as the application calls it."""

    db: Database
    now: datetime = NOW
    jobs: dict[uuid.UUID, str] = field(default_factory=dict)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def start(self, offer: Offer, consumer_id: uuid.UUID, *, key: str | None = None) -> uuid.UUID:
        return self.started(offer, consumer_id, key=key).execution_id

    def started(
        self,
        offer: Offer,
        consumer_id: uuid.UUID,
        *,
        key: str | None = None,
        request: bytes = b"a request",
    ) -> Started:
        return factories.start_execution(
            self.db, offer, consumer_id, key=key, request=request, now=self.now
        )

    def started_test(
        self, offer: Offer, *, fingerprint: bytes = b"the same", quota: int = 50
    ) -> Started:
        """A developer's free test."""
        with self.db.step() as connection:
            return queries.start_test(
                connection,
                factories.trial_terms(offer),
                fingerprint=fingerprint,
                quota=quota,
                now=self.now,
            )

    def try_to_begin(self, execution: uuid.UUID) -> uuid.UUID | None:
        """The new attempt, or None when none is due."""
        attempt = uuid.uuid4()
        with self.db.step() as connection:
            begun = queries.begin_attempt(
                connection, execution, attempt_id=attempt, token_hash=b"token", now=self.now
            )
        return attempt if begun else None

    def begin(self, execution: uuid.UUID) -> uuid.UUID:
        """The new attempt, which must be due."""
        attempt = self.try_to_begin(execution)
        assert attempt is not None, "no attempt is due"
        return attempt

    def submitted(self, attempt: uuid.UUID, job: str | None = None) -> str:
        with self.db.step() as connection:
            return queries.submitted(connection, attempt, job or self.job(attempt), self.now)

    def job(self, attempt: uuid.UUID) -> str:
        """The id that RunPod gave this attempt's job."""
        return self.jobs.setdefault(attempt, f"job-{uuid.uuid4()}")

    def rejected(self, attempt: uuid.UUID, *, retryable: bool = True) -> str:
        with self.db.step() as connection:
            return queries.rejected(
                connection,
                attempt,
                retryable=retryable,
                code="GPU_UNAVAILABLE",
                message="No GPU took the run.",
                error="429",
                now=self.now,
            )

    def observe(
        self,
        attempt: uuid.UUID,
        seen: str,
        *,
        job: str | None = None,
        source: str = "poll",
        **details: Any,
    ) -> Observed:
        given = {"output": OUTPUT} | details if seen == "COMPLETED" else details
        with self.db.step() as connection:
            return queries.observe(
                connection,
                attempt,
                job_id=job or self.job(attempt),
                seen=seen,
                source=source,
                details=given,
                now=self.now,
            )

    def cancel(self, execution: uuid.UUID, consumer_id: uuid.UUID) -> str:
        with self.db.step() as connection:
            return queries.cancel(connection, execution, consumer_id, self.now)

    def tick(self, execution: uuid.UUID) -> Tick:
        with self.db.step() as connection:
            return queries.tick(connection, execution, self.now)

    def expire(self) -> int:
        """How many runs past their life one statement ended."""
        with self.db.step() as connection:
            return queries.expire(connection, limit=100, now=self.now)

    def life(self, execution: uuid.UUID) -> float:
        """Seconds that are left until the execution must have ended."""
        return (self.execution(execution).expires_at - self.now).total_seconds()

    def running(self, offer: Offer, consumer_id: uuid.UUID) -> tuple[uuid.UUID, uuid.UUID]:
        """An execution whose first attempt RunPod has taken: (execution, attempt)."""
        execution = self.start(offer, consumer_id)
        attempt = self.begin(execution)
        assert self.submitted(attempt) == "watching"
        return execution, attempt

    def execution(self, execution: uuid.UUID) -> ExecutionRow:
        with self.db.transaction() as session:
            return session.get_one(ExecutionRow, execution)

    def attempt(self, attempt: uuid.UUID) -> AttemptRow:
        with self.db.transaction() as session:
            return session.get_one(AttemptRow, attempt)

    def effects(self, execution: uuid.UUID) -> Sequence[tuple[str, str]]:
        """What was noted for operators: (what, effect), oldest first."""
        query = select(EventRow.what, EventRow.effect).where(EventRow.execution_id == execution)
        with self.db.transaction() as session:
            return [(what, effect) for what, effect in session.execute(query.order_by(EventRow.id))]

    def announced(self, execution: uuid.UUID) -> list[str]:
        query = select(AnnouncementRow.status).where(AnnouncementRow.execution_id == execution)
        with self.db.transaction() as session:
            return list(session.scalars(query))

    def wallet(self, consumer_id: uuid.UUID) -> WalletState:
        with self.db.transaction() as session:
            return credits_queries.wallet(session, consumer_id)

    def credits_of(self, consumer_id: uuid.UUID) -> tuple[float, float]:
        """Credits (what can be spent, what is held)."""
        wallet = self.wallet(consumer_id)
        free = wallet.posted - wallet.pending
        return free / MICRO_CREDITS, wallet.pending / MICRO_CREDITS

    def earned(self, developer_id: uuid.UUID) -> float:
        """Credits that the platform owes the developer."""
        with self.db.transaction() as session:
            return payment_queries.payable(session, developer_id) / MICRO_CREDITS

    def wanted_cancels(self) -> list[uuid.UUID]:
        """Attempts whose jobs should be stopped at RunPod."""
        with self.db.step() as connection:
            return [job.attempt_id for job in queries.wanted_cancels(connection, limit=100)]

    def overdue(self, *, patience: float = 15) -> list[uuid.UUID]:
        """Executions that the sweep takes up."""
        with self.db.step() as connection:
            return queries.overdue(
                connection, now=self.now, patience=timedelta(seconds=patience), limit=100
            )

    def claim(self, *, older_than: float = 15, limit: int = 100) -> list[uuid.UUID]:
        """Executions whose submit the outbox relays."""
        with self.db.step() as connection:
            return outbox.claim(
                connection, older_than=timedelta(seconds=older_than), limit=limit, now=self.now
            )


def violations(db: Database) -> list[tuple[Any, ...]]:
    """Broken invariants I1 to I10."""
    with db.step() as connection:
        ledger = credits_queries.violations(connection)
        payments = payment_queries.violations(connection)
        return [
            *map(tuple, [*ledger, *payments]),
            *map(tuple, queries.violations(connection)),
        ]


def refusal(connection: Connection, statement: str, **parameters: Any) -> str:
    """The SQLSTATE with which the database refuses a statement; it must refuse."""
    try:
        connection.execute(text(statement), parameters)
    except DBAPIError as error:
        return sqlstate(error)
    raise AssertionError(f"not refused: {statement}")
