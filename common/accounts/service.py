"""Registration and profiles. The identity says who someone is; the index says who was first."""

import uuid
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from common.accounts import queries
from common.accounts.queries import Kind, note_staff
from common.accounts.schemas import (
    ActionsQuery,
    ConsumerProfile,
    DeveloperCompletion,
    DeveloperProfile,
    LimitsIn,
    LimitsOut,
    StaffActionOut,
)
from common.accounts.tables import Consumer, ConsumerLimitsRow, Developer
from common.db import violated
from common.errors import AccountSuspended, ConsumerNotFound, DeveloperNotFound, EmailTaken
from common.gateways.identity import Identity
from common.http import Page
from common.http.wire import plain
from common.text import HttpsUrl, PersonName

__all__ = [
    "Consumer",
    "Developer",
    "consumer_id_of",
    "consumer_of",
    "developer_of",
    "limits",
    "note_staff",
    "register_consumer",
    "register_developer",
    "require_consumer",
    "set_limits",
    "staff_actions",
    "update_consumer",
    "update_developer",
]

_NAME: TypeAdapter[str] = TypeAdapter(PersonName)
_URL: TypeAdapter[str] = TypeAdapter(HttpsUrl)


def consumer_id_of(connection: Connection, uid: str) -> uuid.UUID:
    """The registered consumer's id; raises ConsumerNotFound or AccountSuspended."""
    standing = queries.consumer_standing(connection, uid)
    if standing is None:
        raise ConsumerNotFound
    if standing.suspended_at is not None:
        raise AccountSuspended
    consumer_id: uuid.UUID = standing.id
    return consumer_id


def consumer_of(session: Session, uid: str) -> Consumer:
    """The registered consumer; raises ConsumerNotFound or AccountSuspended."""
    consumer = queries.by_uid(session, Consumer, uid)
    if consumer is None:
        raise ConsumerNotFound
    return _not_suspended(consumer)


def require_consumer(session: Session, consumer_id: uuid.UUID) -> None:
    """Raises ConsumerNotFound if there is no such consumer."""
    if session.get(Consumer, consumer_id) is None:
        raise ConsumerNotFound(f"There is no consumer {consumer_id}.")


def developer_of(session: Session, uid: str) -> Developer:
    """The registered developer; raises DeveloperNotFound or AccountSuspended."""
    developer = queries.by_uid(session, Developer, uid)
    if developer is None:
        raise DeveloperNotFound
    return _not_suspended(developer)


def register_consumer(session: Session, identity: Identity, name: str | None) -> Consumer:
    """The identity's consumer, made on the first call; raises EmailTaken or AccountSuspended."""
    values = {"name": name or _usable(_NAME, identity.name)}
    return _register(session, Consumer, identity, values)


def register_developer(session: Session, identity: Identity, name: str | None) -> Developer:
    """The identity's developer, made on the first call; raises EmailTaken or AccountSuspended."""
    values = {"display_name": name or _usable(_NAME, identity.name)}
    return _register(session, Developer, identity, values)


def update_consumer(session: Session, uid: str, changes: ConsumerProfile) -> Consumer:
    """Applies the fields that were given."""
    consumer = consumer_of(session, uid)
    _apply(consumer, changes.model_dump(exclude_unset=True))
    session.flush()
    return consumer


def update_developer(
    session: Session, uid: str, changes: DeveloperProfile | DeveloperCompletion
) -> Developer:
    """Applies the fields that were given."""
    developer = developer_of(session, uid)
    _apply(developer, changes.model_dump(exclude_unset=True))
    session.flush()
    return developer


def staff_actions(session: Session, query: ActionsQuery) -> Page[StaffActionOut]:
    """What staff did, newest first."""
    rows, total = queries.staff_actions(
        session, subject=query.subject, offset=query.offset, limit=query.limit
    )
    return Page([StaffActionOut.model_validate(row) for row in rows], total, query)


def limits(session: Session) -> LimitsOut:
    """What every consumer may."""
    return LimitsOut.model_validate(session.get_one(ConsumerLimitsRow, True))


def set_limits(session: Session, given: LimitsIn, *, by: str, now: datetime) -> LimitsOut:
    """Changes what every consumer may, from now on."""
    row = session.get_one(ConsumerLimitsRow, True, with_for_update=True)
    before = LimitsOut.model_validate(row)
    _apply(row, given.model_dump())
    session.flush()
    after = LimitsOut.model_validate(row)
    note_staff(
        session,
        actor=by,
        action="set limits",
        subject=uuid.UUID(int=0),
        before=plain(before),
        after=plain(after),
        now=now,
    )
    return after


def _register(
    session: Session, kind: type[Kind], identity: Identity, values: dict[str, Any]
) -> Kind:
    """Insert first and ask later: whoever checks before inserting can be overtaken."""
    if identity.email and identity.email_verified:
        queries.drop_unproven_email(session, kind, email=identity.email, owner_uid=identity.uid)
    values |= {
        "firebase_uid": identity.uid,
        "email": identity.email,
        "email_verified": identity.email_verified,
        "avatar_url": _usable(_URL, identity.picture),
    }
    made = queries.insert_if_new(session, kind, values)
    if made is not None:
        return made
    known = queries.by_uid(session, kind, identity.uid)
    if known is None:
        raise EmailTaken
    return _refreshed(session, _not_suspended(known), identity)


def _refreshed(session: Session, account: Kind, identity: Identity) -> Kind:
    """Follows a change of address at the identity service."""
    account.email, account.email_verified = identity.email, identity.email_verified
    try:
        session.flush()
    except DBAPIError as error:
        if violated(error) != f"uq_{account.__tablename__}_email":
            raise
        raise EmailTaken from None
    return account


def _usable(rule: TypeAdapter[str], value: str | None) -> str | None:
    """A name or picture of the identity service if it fits our rules: it must not bar the way."""
    try:
        return rule.validate_python((value or "").strip())
    except ValidationError:
        return None


def _apply(account: Consumer | Developer | ConsumerLimitsRow, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(account, name, value)


def _not_suspended(account: Kind) -> Kind:
    if account.suspended_at is not None:
        raise AccountSuspended
    return account
