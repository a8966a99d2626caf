"""Guards against what happens inside the database at one and the same moment.

The simulation lets handlers overlap, but each statement of it runs alone. These few promises are
about two statements at once, or twice the same, and are asked directly. A probe answers whether
the promise was kept.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from common.db import Database
from common.executions import queries
from tests import factories
from tests.simulation.mutations import EXECUTIONS, LEDGER, OUTBOX, Change
from tests.steps import OUTPUT, Steps

Probe = Callable[[Steps], bool]


@dataclass(frozen=True)
class ProbedMutation:
    """A broken guard and the promise that then no longer holds."""

    name: str
    changes: tuple[Change, ...]
    kept: Probe
    dropped: tuple[str, ...] = ()


def settles_once_at_a_time(steps: Steps) -> bool:
    """Two callbacks of one job at once: one settles, the other waits and finds it settled."""
    _, attempt = _running(steps)
    effects: list[str] = []

    def observe() -> None:
        try:
            effects.append(steps.observe(attempt, "COMPLETED").effect)
        except DBAPIError:
            effects.append("refused")

    with steps.db.engine.connect() as first:  # a transaction that commits only at the end
        other = threading.Thread(target=observe)
        queries.observe(
            first,
            attempt,
            job_id=steps.job(attempt),
            seen="COMPLETED",
            source="poll",
            details={"output": OUTPUT},
            now=steps.now,
        )
        other.start()
        other.join(0.3)
        first.commit()
    other.join()
    return effects == ["late"]


def begins_once(steps: Steps) -> bool:
    """Two processes that submit the same execution begin one attempt."""
    consumer = factories.make_consumer(steps.db, credits_=100)
    execution = steps.start(factories.make_offer(steps.db), consumer)
    return [steps.try_to_begin(execution) is None for _ in range(2)] == [False, True]


def looks_once(steps: Steps) -> bool:
    """Two alarms at one time: one looks, the other finds it leased."""
    execution, _ = _running(steps)
    steps.wait(60)
    return [steps.tick(execution).action for _ in range(2)] == ["look", "early"]


def claims_once(steps: Steps) -> bool:
    """Two sweeps one after the other do not relay the same start twice."""
    consumer = factories.make_consumer(steps.db, credits_=100)
    execution = steps.start(factories.make_offer(steps.db), consumer)
    steps.wait(20)
    return [steps.claim() for _ in range(2)] == [[execution], []]


def lets_a_lost_job_win(steps: Steps) -> bool:
    """A job whose attempt was given up completes first: it is delivered and paid once."""
    consumer = factories.make_consumer(steps.db, credits_=100)
    execution = steps.start(factories.make_offer(steps.db), consumer)
    lost = steps.begin(execution)
    steps.wait(100)
    steps.tick(execution)
    steps.begin(execution)
    return (
        steps.observe(lost, "COMPLETED").effect == "completed"
        and steps.execution(execution).status == "COMPLETED"
        and steps.credits_of(consumer) == (90.0, 0.0)
    )


def stops_a_job_found_late(steps: Steps) -> bool:
    """POST /run is answered when the attempt was given up: its job is to be cancelled."""
    consumer = factories.make_consumer(steps.db, credits_=100)
    execution = steps.start(factories.make_offer(steps.db), consumer)
    lost = steps.begin(execution)
    steps.wait(100)
    steps.tick(execution)
    steps.submitted(lost)
    return steps.wanted_cancels() == [lost]


def keeps_its_terms(steps: Steps) -> bool:
    """A running execution's price cannot be changed, not even by the owner of the database."""
    execution, _ = _running(steps)
    return _refused(steps.db, "UPDATE executions SET price = 1, fee = 0 WHERE id = :id", execution)


def keeps_its_postings(steps: Steps) -> bool:
    """What was posted stays as it is."""
    _, attempt = _running(steps)
    steps.observe(attempt, "COMPLETED")
    return _refused(steps.db, "UPDATE ledger.transfer SET amount = amount + 1", uuid.uuid4())


def captures_once(steps: Steps) -> bool:
    """A hold that was captured is not captured again, whoever asks."""
    execution, attempt = _running(steps)
    steps.observe(attempt, "COMPLETED")
    row = steps.execution(execution)
    capture = text("SELECT ledger.capture(:id, :developer, :fee, :now)")
    values = {"id": execution, "developer": row.developer_id, "fee": row.fee, "now": steps.now}
    with _as_owner(steps.db) as connection:
        try:
            return bool(connection.scalar(capture, values) == "already_captured")
        except DBAPIError:
            return False


def _running(steps: Steps) -> tuple[uuid.UUID, uuid.UUID]:
    consumer = factories.make_consumer(steps.db, credits_=100)
    return steps.running(factories.make_offer(steps.db), consumer)


def _refused(db: Database, statement: str, execution: uuid.UUID) -> bool:
    with _as_owner(db) as connection:
        try:
            connection.execute(text(statement), {"id": execution})
        except DBAPIError:
            return True
    return False


@contextmanager
def _as_owner(db: Database) -> Iterator[Connection]:
    """The owner of the tables, whom no missing privilege stops; nothing is kept."""
    with db.engine.connect() as connection:
        connection.execute(text("RESET ROLE"))
        try:
            yield connection
        finally:
            connection.rollback()
            connection.invalidate()


PROBED = (
    ProbedMutation(
        "settle without the lock",
        (
            Change(EXECUTIONS, "WHERE id = p_attempt) FOR UPDATE;", "WHERE id = p_attempt);"),
            Change(EXECUTIONS, "WHERE y.id = p_attempt FOR UPDATE;", "WHERE y.id = p_attempt;"),
        ),
        settles_once_at_a_time,
    ),
    ProbedMutation(
        "begin_attempt without compare-and-set",
        (
            Change(
                EXECUTIONS,
                "IF e.phase IS DISTINCT FROM 'waiting' OR e.next_check_at > p_now OR",
                "IF e.phase = 'done' OR",
            ),
        ),
        begins_once,
    ),
    ProbedMutation(
        "lease missing",
        (
            Change(
                EXECUTIONS,
                "SET next_check_at = p_now + interval '30 seconds' WHERE x.id = e.id",
                "SET next_check_at = p_now WHERE x.id = e.id",
            ),
        ),
        looks_once,
    ),
    ProbedMutation(
        "outbox row not moved when it is claimed",
        (Change(OUTBOX, "due_at = p_now + least(", "due_at = o.due_at + 0 * least("),),
        claims_once,
    ),
    ProbedMutation(
        "a lost attempt's result thrown away",
        (
            Change(
                EXECUTIONS,
                "ELSIF seen = 'COMPLETED' THEN",
                "ELSIF seen = 'COMPLETED' AND a.state <> 'lost' THEN",
            ),
        ),
        lets_a_lost_job_win,
    ),
    ProbedMutation(
        "a job found late is not cancelled",
        (
            Change(
                EXECUTIONS,
                "want_cancel = want_cancel OR (state IN",
                "want_cancel = want_cancel OR (false AND state IN",
            ),
        ),
        stops_a_job_found_late,
    ),
    ProbedMutation(
        "terms not frozen",
        (),
        keeps_its_terms,
        ("DROP TRIGGER execution_terms_are_frozen ON executions",),
    ),
    ProbedMutation(
        "postings not immutable",
        (),
        keeps_its_postings,
        ("DROP TRIGGER transfer_immutable ON ledger.transfer",),
    ),
    ProbedMutation(
        "a second hold resolution believed",
        (Change(LEDGER, "IF step.outcome <> 'captured' THEN", "IF false THEN"),),
        captures_once,
    ),
)
