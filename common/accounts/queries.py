"""All SQL of the accounts."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common.accounts.tables import Consumer, Developer, StaffAction

Kind = TypeVar("Kind", Consumer, Developer)


_NOTE = text(
    "SELECT staff_note(:actor, :action, :subject, :reason, NULL, '{}', :before, :after, :now)"
)
_STANDING = text("SELECT id, suspended_at FROM consumers WHERE firebase_uid = :uid")


def consumer_standing(connection: Connection, uid: str) -> Row[Any] | None:
    """A consumer's id and since when it is suspended: all that most requests need of it."""
    return connection.execute(_STANDING, {"uid": uid}).one_or_none()


def by_uid(session: Session, kind: type[Kind], uid: str) -> Kind | None:
    """The account of an identity."""
    return session.scalar(select(kind).where(kind.firebase_uid == uid))


def insert_if_new(session: Session, kind: type[Kind], values: Mapping[str, Any]) -> Kind | None:
    """A new account, or None where the uid or the e-mail address is taken.

    Waits for a transaction that is just inserting the same one, so that two at once are one.
    """
    statement = insert(kind).values(**values).on_conflict_do_nothing().returning(kind)
    return session.scalar(statement)


def drop_unproven_email(session: Session, kind: type[Kind], *, email: str, owner_uid: str) -> None:
    """Takes the address from an account that never proved to own it."""
    session.execute(
        update(kind)
        .where(func.lower(kind.email) == func.lower(email))
        .where(kind.firebase_uid != owner_uid, kind.email_verified.is_(False))
        .values(email=None)
        .execution_options(synchronize_session=False)
    )


def note_staff(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: uuid.UUID,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str | None = None,
    now: datetime,
) -> None:
    """Writes down what staff did, in the transaction of the deed."""
    parameters = {
        "actor": actor,
        "action": action,
        "subject": subject,
        "reason": reason,
        "before": json.dumps(before) if before is not None else None,
        "after": json.dumps(after) if after is not None else None,
        "now": now,
    }
    session.execute(_NOTE, parameters)


def staff_actions(
    session: Session, *, subject: uuid.UUID | None, offset: int, limit: int
) -> tuple[list[StaffAction], int]:
    """What staff did, newest first; and how often."""
    chosen = [] if subject is None else [StaffAction.subject == subject]
    total = session.scalar(select(func.count()).select_from(StaffAction).where(*chosen)) or 0
    query = select(StaffAction).where(*chosen).order_by(StaffAction.id.desc())
    return list(session.scalars(query.offset(offset).limit(limit))), total
