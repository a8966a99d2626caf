"""Moderation: the hook that a start passes, reports of consumers, and what staff do about them.

Whatever is suspended starts nothing new; runs that go on finish, and are paid for as agreed.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy.orm import Session

from common import logs
from common.accounts.service import Consumer, Developer, note_staff
from common.catalog.service import Runnable
from common.catalog.tables import TarsModelRow
from common.clock import Clock
from common.db import Database
from common.errors import (
    Conflict,
    ConsumerNotFound,
    DeveloperNotFound,
    InputsRefused,
    ModelNotFound,
    NotFound,
    ReportNotFound,
)
from common.events import service as events
from common.http import Page
from common.kept import Kept
from common.moderation import queries
from common.moderation.schemas import (
    FindingOut,
    FindingsQuery,
    OwnReport,
    ReportForStaff,
    ReportIn,
    ReportOut,
    ReportsQuery,
    SuspensionOut,
    TermsOut,
    VerdictIn,
)
from common.moderation.tables import FindingRow, ReportRow
from common.moderation.terms import find, folded

log = logs.Log("moderation")
What = Literal["consumer", "developer", "model"]
_KINDS: dict[What, tuple[queries.Suspendable, type[NotFound]]] = {
    "consumer": (Consumer, ConsumerNotFound),
    "developer": (Developer, DeveloperNotFound),
    "model": (TarsModelRow, ModelNotFound),
}
_TERMS = Kept[tuple[str, ...]](1)
_TERMS_SECONDS = 10.0


class Tools(Protocol):
    """What the hook works with; common.runtime.Runtime is one."""

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...


def check_inputs(
    tools: Tools, model: Runnable, inputs: dict[str, Any], *, consumer_id: uuid.UUID | None
) -> None:
    """The hook before a start: looks for refused words as the base model says (off, warn, block).

    consumer_id: None for a test run of the model's own developer.

    What is found is written down. Raises InputsRefused with `block`, naming the fields only.
    """
    if model.moderation == "off":
        return
    found = find(inputs, _TERMS.get("all", lambda: _terms(tools), seconds=_TERMS_SECONDS))
    if found is None:
        return
    values = {
        "at": tools.clock.now(),
        "mode": model.moderation,
        "consumer_id": consumer_id or model.developer_id,
        "tested": consumer_id is None,
        "tars_model_id": model.model_id,
        "fields": found.fields,
        "terms": found.terms,
    }
    with tools.db.step() as connection:
        queries.add_finding(connection, values)
    log.warning("refused words", mode=model.moderation, modelId=str(model.model_id))
    if model.moderation == "block":
        message = "has words that this model does not take"
        raise InputsRefused.of([{"field": name, "message": message} for name in found.fields])


def report(
    session: Session,
    slug: str,
    order: ReportIn,
    *,
    consumer_id: uuid.UUID,
    report_id: uuid.UUID,
    now: datetime,
) -> ReportOut:
    """Reports a model; while one is open, again answers the same. Raises ModelNotFound."""
    model_id = queries.model_id(session, slug)
    if model_id is None:
        raise ModelNotFound
    values = {
        "id": report_id,
        "consumer_id": consumer_id,
        "tars_model_id": model_id,
        "reason": order.reason,
        "details": order.details,
        "made_at": now,
    }
    return ReportOut(**_shown(queries.add_report(session, values)))


def reports(session: Session, query: ReportsQuery) -> Page[ReportForStaff]:
    """Reports, the oldest first."""
    rows, total = queries.reports(
        session, state=query.state, offset=query.offset, limit=query.limit
    )
    return Page(_for_staff(session, rows), total, query)


def reports_of(session: Session, consumer_id: uuid.UUID) -> list[OwnReport]:
    """What a consumer reported."""
    rows = queries.reports_of(session, consumer_id)
    return [OwnReport(**_shown(row), details=row.details) for row in rows]


def close_report(
    session: Session, report_id: uuid.UUID, verdict: VerdictIn, *, by: str, now: datetime
) -> ReportForStaff:
    """Ends a report, and suspends its model if it is upheld. Raises ReportNotFound, Conflict."""
    row = queries.locked_report(session, report_id)
    if row is None:
        raise ReportNotFound
    state = {"uphold": "upheld", "dismiss": "dismissed"}[verdict.verdict]
    if row.state not in {"open", state}:
        raise Conflict(f"This report is {row.state} already.")
    if row.state == "open":
        row.state, row.closed_at = state, now
        if state == "upheld":
            suspend(session, "model", row.tars_model_id, reason=verdict.reason, by=by, now=now)
        note_staff(
            session,
            actor=by,
            action=f"report {state}",
            subject=row.id,
            reason=verdict.reason,
            now=now,
        )
    session.flush()
    return _for_staff(session, [row])[0]


def suspend(
    session: Session, what: What, subject: uuid.UUID, *, reason: str, by: str, now: datetime
) -> SuspensionOut:
    """Suspends an account or a model; again, it stays suspended since then. Raises NotFound."""
    return _set(session, what, subject, now, reason=reason, by=by, now=now)


def reinstate(
    session: Session, what: What, subject: uuid.UUID, *, reason: str, by: str, now: datetime
) -> SuspensionOut:
    """Lets an account or a model back. Raises NotFound."""
    return _set(session, what, subject, None, reason=reason, by=by, now=now)


def set_terms(session: Session, words: list[str], *, by: str, now: datetime) -> TermsOut:
    """Replaces the refused words; processes that run know them within ten seconds."""
    wanted = sorted({folded(word) for word in words} - {""})
    before = queries.terms(session)
    queries.replace_terms(session, wanted)
    note_staff(
        session,
        actor=by,
        action="set refused words",
        subject=uuid.UUID(int=0),
        before={"terms": before},
        after={"terms": wanted},
        now=now,
    )
    return TermsOut(terms=wanted)


def terms(session: Session) -> TermsOut:
    """The refused words."""
    return TermsOut(terms=queries.terms(session))


def findings(session: Session, query: FindingsQuery) -> Page[FindingOut]:
    """What the hook found, the newest first."""
    rows, total = queries.findings(
        session, consumer_id=query.consumer_id, offset=query.offset, limit=query.limit
    )
    return Page([_finding(row) for row in rows], total, query)


def _finding(row: FindingRow) -> FindingOut:
    return FindingOut(
        id=row.id,
        at=row.at,
        mode=row.mode,
        consumer_id=None if row.tested else row.consumer_id,
        developer_id=row.consumer_id if row.tested else None,
        tars_model_id=row.tars_model_id,
        fields=row.fields,
        terms=row.terms,
    )


def _terms(tools: Tools) -> tuple[str, ...]:
    with tools.db.step() as connection:
        return tuple(queries.terms(connection))


def _set(
    session: Session,
    what: What,
    subject: uuid.UUID,
    moment: datetime | None,
    *,
    reason: str,
    by: str,
    now: datetime,
) -> SuspensionOut:
    kind, missing = _KINDS[what]
    row = queries.locked(session, kind, subject)
    if row is None:
        raise missing(f"There is no {what} {subject}.")
    if (row.suspended_at is None) != (moment is None):
        row.suspended_at = moment
        session.flush()
        done = "suspended" if moment else "reinstated"
        note_staff(
            session,
            actor=by,
            action=f"{what} {done}",
            subject=subject,
            reason=reason,
            now=now,
        )
        if what == "model":
            events.add(
                session,
                kind="developer",
                owner_id=row.developer_id,
                event_type=f"model.{done}",
                data={"id": str(subject), "reason": reason},
                now=now,
            )
    return SuspensionOut(id=subject, suspended_at=row.suspended_at)


def _shown(row: ReportRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "model_id": row.tars_model_id,
        "reason": row.reason,
        "state": row.state,
        "made_at": row.made_at,
    }


def _for_staff(session: Session, rows: Sequence[ReportRow]) -> list[ReportForStaff]:
    owners = queries.developers(session, [row.tars_model_id for row in rows])
    return [
        ReportForStaff(
            **_shown(row),
            consumer_id=row.consumer_id,
            developer_id=owners[row.tars_model_id],
            details=row.details,
            closed_at=row.closed_at,
        )
        for row in rows
    ]
