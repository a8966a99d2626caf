"""All SQL of the moderation."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from common.accounts.tables import Consumer, Developer
from common.catalog.tables import TarsModelRow
from common.moderation.tables import FindingRow, ReportRow, TermRow

Suspendable = type[Consumer] | type[Developer] | type[TarsModelRow]


def terms(connection: Connection | Session) -> list[str]:
    """Every refused word."""
    return list(connection.scalars(select(TermRow.term).order_by(TermRow.term)))


def replace_terms(session: Session, words: Sequence[str]) -> None:
    """The list is these words now."""
    session.execute(delete(TermRow).where(TermRow.term.not_in(words)))
    if words:
        rows = [{"term": word} for word in words]
        session.execute(upsert(TermRow).values(rows).on_conflict_do_nothing())


def add_finding(connection: Connection, values: dict[str, Any]) -> None:
    """Writes down what was found."""
    connection.execute(insert(FindingRow).values(**values))


def findings(
    session: Session, *, consumer_id: uuid.UUID | None, offset: int, limit: int
) -> tuple[Sequence[FindingRow], int]:
    """What was found, the newest first; and how much."""
    chosen = [] if consumer_id is None else [FindingRow.consumer_id == consumer_id]
    total = session.scalar(select(func.count()).select_from(FindingRow).where(*chosen)) or 0
    query = select(FindingRow).where(*chosen).order_by(FindingRow.id.desc())
    return session.scalars(query.offset(offset).limit(limit)).all(), total


def model_id(session: Session, slug: str) -> uuid.UUID | None:
    """The published model of that slug."""
    return session.scalar(
        select(TarsModelRow.id).where(
            func.lower(TarsModelRow.slug) == slug.lower(),
            TarsModelRow.status == "PUBLISHED",
            TarsModelRow.deleted_at.is_(None),
        )
    )


def add_report(session: Session, values: dict[str, Any]) -> ReportRow:
    """A report, or the one about the same model that this consumer has open."""
    session.execute(upsert(ReportRow).values(**values).on_conflict_do_nothing())
    query = select(ReportRow).where(
        ReportRow.consumer_id == values["consumer_id"],
        ReportRow.tars_model_id == values["tars_model_id"],
    )
    return session.scalars(query.order_by(ReportRow.made_at.desc()).limit(1)).one()


def locked_report(session: Session, report_id: uuid.UUID) -> ReportRow | None:
    return session.get(ReportRow, report_id, with_for_update=True)


def developers(session: Session, model_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Whose each of these models is."""
    query = select(TarsModelRow.id, TarsModelRow.developer_id)
    rows = session.execute(query.where(TarsModelRow.id.in_(model_ids)))
    return {row.id: row.developer_id for row in rows}


def reports(
    session: Session, *, state: str | None, offset: int, limit: int
) -> tuple[Sequence[ReportRow], int]:
    """Reports, the oldest first; and how many."""
    chosen = [] if state is None else [ReportRow.state == state]
    total = session.scalar(select(func.count()).select_from(ReportRow).where(*chosen)) or 0
    query = select(ReportRow).where(*chosen).order_by(ReportRow.made_at, ReportRow.id)
    return session.scalars(query.offset(offset).limit(limit)).all(), total


def reports_of(session: Session, consumer_id: uuid.UUID) -> Sequence[ReportRow]:
    """A consumer's reports, the newest first."""
    query = select(ReportRow).where(ReportRow.consumer_id == consumer_id)
    return session.scalars(query.order_by(ReportRow.made_at.desc()).limit(10_000)).all()


def locked(session: Session, kind: Suspendable, row_id: uuid.UUID) -> Any:
    """The account or model, locked; None where there is none."""
    return session.get(kind, row_id, with_for_update=True)
