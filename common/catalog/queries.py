"""All SQL of the catalogue's reads and edits by staff and developers."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from common.catalog.tables import (
    BaseModelRow,
    EndpointRow,
    GpuPriceRow,
    StatsRow,
    TarsModelRow,
    VersionRow,
    run_tally,
)

Entity = TypeVar("Entity", EndpointRow, BaseModelRow, TarsModelRow, GpuPriceRow)

AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]

_FOLD_RUN_TALLIES = text("SELECT fold_run_tallies()")

M, B, E = TarsModelRow, BaseModelRow, EndpointRow


def total_runs(model_id: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[int]:
    """Runs of a model: those counted and those not folded in yet."""
    counted = select(StatsRow.total_runs).where(StatsRow.tars_model_id == model_id)
    waiting = select(func.count()).where(run_tally.c.tars_model_id == model_id)
    return func.coalesce(counted.scalar_subquery(), 0) + waiting.scalar_subquery()


def insert_row(session: Session, kind: type[Entity], values: Mapping[str, Any]) -> Entity | None:
    """A new row, or None where one of its unique values is taken."""
    return session.scalar(insert(kind).values(**values).on_conflict_do_nothing().returning(kind))


def locked(session: Session, kind: type[Entity], row_id: uuid.UUID) -> Entity | None:
    """The row, locked until the transaction ends."""
    return session.get(kind, row_id, with_for_update=True)


# --- Staff -------------------------------------------------------------------------------


def endpoint(session: Session, endpoint_id: uuid.UUID) -> AnyRow | None:
    """An endpoint and how many base models use it."""
    return session.execute(_endpoints().where(E.id == endpoint_id)).one_or_none()


def endpoints(
    session: Session, *, is_active: bool | None, limit: int, offset: int
) -> tuple[Sequence[AnyRow], int]:
    """Endpoints, newest first."""
    statement = _endpoints()
    if is_active is not None:
        statement = statement.where(E.is_active.is_(is_active))
    return _page(session, statement.order_by(E.created_at.desc(), E.id), limit, offset)


def base_model(session: Session, base_model_id: uuid.UUID) -> AnyRow | None:
    """A base model and its endpoint."""
    return session.execute(_base_models().where(B.id == base_model_id)).one_or_none()


def base_models(
    session: Session,
    *,
    is_active: bool | None,
    category: str | None,
    endpoint_id: uuid.UUID | None,
    limit: int,
    offset: int,
) -> tuple[Sequence[AnyRow], int]:
    """Base models, newest first."""
    statement = _base_models()
    if is_active is not None:
        statement = statement.where(B.is_active.is_(is_active))
    if category is not None:
        statement = statement.where(B.category == category)
    if endpoint_id is not None:
        statement = statement.where(B.endpoint_id == endpoint_id)
    return _page(session, statement.order_by(B.created_at.desc(), B.id), limit, offset)


def _endpoints() -> AnySelect:
    used = select(func.count()).where(B.endpoint_id == E.id).scalar_subquery()
    return select(E, used.label("base_model_count"))


def _base_models() -> AnySelect:
    return select(B, E).join(E, B.endpoint_id == E.id)


def gpu_prices(session: Session) -> Sequence[GpuPriceRow]:
    """Every dated price, by class, the newest first."""
    query = select(GpuPriceRow).order_by(GpuPriceRow.gpu_class, GpuPriceRow.since.desc())
    return session.scalars(query).all()


# --- Developers --------------------------------------------------------------------------


def offered_base_models(session: Session, category: str | None) -> Sequence[BaseModelRow]:
    """Base models that a tars model can be published on, by name."""
    statement = select(B).join(E, B.endpoint_id == E.id).where(B.is_active, E.is_active)
    if category is not None:
        statement = statement.where(B.category == category)
    return session.scalars(statement.order_by(B.name, B.id)).all()


def foundation(session: Session, base_model_id: uuid.UUID) -> AnyRow | None:
    """What a tars model stands on: its base model's schema, least price, and whether it is on."""
    return session.execute(
        select(
            B.input_schema,
            B.is_active.label("base_active"),
            E.is_active.label("endpoint_active"),
            B.minimum_price_credits,
        )
        .join(E, B.endpoint_id == E.id)
        .where(B.id == base_model_id)
    ).one_or_none()


def own_model(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> AnyRow | None:
    """One of the developer's models with its base model and number of runs."""
    statement = select(M, B, total_runs(M.id).label("total_runs"))
    return session.execute(
        statement.join(B, M.base_model_id == B.id).where(
            M.id == model_id, M.developer_id == developer_id, M.deleted_at.is_(None)
        )
    ).one_or_none()


def own_models(
    session: Session, developer_id: uuid.UUID, *, status: str | None, limit: int, offset: int
) -> tuple[Sequence[AnyRow], int]:
    """The developer's models, newest first, without the base models' schemas."""
    statement = (
        select(M, B.id, B.slug, B.name, B.category, B.output_type, B.output_format)
        .add_columns(total_runs(M.id).label("total_runs"))
        .join(B, M.base_model_id == B.id)
        .where(M.developer_id == developer_id, M.deleted_at.is_(None))
    )
    if status is not None:
        statement = statement.where(M.status == status)
    return _page(session, statement.order_by(M.created_at.desc(), M.id), limit, offset)


def own_model_locked(
    session: Session, model_id: uuid.UUID, developer_id: uuid.UUID
) -> TarsModelRow | None:
    """The developer's model, deleted or not, locked until the transaction ends."""
    return session.scalar(
        select(M).where(M.id == model_id, M.developer_id == developer_id).with_for_update()
    )


def fresh_draft(session: Session, slug: str) -> TarsModelRow | None:
    """The draft that occupies a slug, if it was made within the last minute."""
    return session.scalar(
        select(M).where(
            func.lower(M.slug) == slug.lower(),
            M.deleted_at.is_(None),
            M.status == "DRAFT",
            M.created_at > func.now() - timedelta(minutes=1),
        )
    )


def model_count(session: Session, developer_id: uuid.UUID) -> int:
    """How many models the developer has."""
    statement = select(func.count()).where(M.developer_id == developer_id, M.deleted_at.is_(None))
    return session.scalar(statement) or 0


def add_version(session: Session, model: TarsModelRow) -> uuid.UUID:
    """Writes the locked model down as its next version; answers the version's id."""
    number = (
        select(func.coalesce(func.max(VersionRow.number), 0) + 1)
        .where(VersionRow.tars_model_id == model.id)
        .scalar_subquery()
    )
    statement = insert(VersionRow).values(
        tars_model_id=model.id,
        number=number,
        title=model.title,
        base_model_id=model.base_model_id,
        config_overrides=model.config_overrides,
        price_credits=model.price_credits,
    )
    return session.execute(statement.returning(VersionRow.id)).scalar_one()


def mark_published(session: Session, row: TarsModelRow, version_id: uuid.UUID) -> None:
    """Offers the locked model; the day of its first publication stays."""
    row.status, row.published_version_id = "PUBLISHED", version_id
    if row.published_at is None:
        row.published_at = func.now()
    session.flush()


def mark_deleted(session: Session, row: TarsModelRow) -> None:
    """Hides the locked model from everyone."""
    row.deleted_at = func.now()
    session.flush()


def _page(
    session: Session, statement: AnySelect, limit: int, offset: int
) -> tuple[Sequence[AnyRow], int]:
    """One page and the number of rows in all."""
    rows = session.execute(statement.limit(limit).offset(offset)).all()
    if len(rows) < limit and (rows or offset == 0):
        return rows, offset + len(rows)
    counted = statement.with_only_columns(func.count(), maintain_column_froms=True)
    return rows, session.scalar(counted.order_by(None)) or 0


def active_runpod_ids(connection: Connection) -> set[str]:
    """RunPod's ids of the endpoints in use."""
    return set(connection.scalars(select(E.runpod_endpoint_id).where(E.is_active)))


def fold_run_tallies(connection: Connection) -> int:
    """Adds waiting tallies to the models' run counts; answers how many."""
    return int(connection.scalar(_FOLD_RUN_TALLIES) or 0)
