"""All SQL about what is on offer: browse, detail, and what a run needs to know.

Core columns instead of entities: these are the busiest reads of the platform.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Connection, func, or_, select
from sqlalchemy.orm import Session

from common.accounts.tables import Developer
from common.catalog.queries import AnyRow, AnySelect, total_runs
from common.catalog.tables import BaseModelRow, EndpointRow, TarsModelRow

M, B, E, D = TarsModelRow, BaseModelRow, EndpointRow, Developer
Reader = Session | Connection

_OFFERED: tuple[ColumnExpressionArgument[bool], ...] = (
    M.status == "PUBLISHED",
    M.deleted_at.is_(None),
    B.is_active,
    E.is_active,
    D.suspended_at.is_(None),
)


def offered(
    reader: Reader, *, category: str | None, search: str, limit: int, offset: int
) -> tuple[Sequence[AnyRow], int]:
    """Published models, the newest first, and their number in all; one statement as a rule."""
    matching = _joined(select(M.id, func.count().over().label("total")))
    matching = matching.where(*_OFFERED)
    if category is not None:
        matching = matching.where(B.category == category)
    if search:
        matching = matching.where(_contains(search))
    page = matching.order_by(M.published_at.desc(), M.id).limit(limit).offset(offset).subquery()
    rows = reader.execute(
        _joined(_card(page.c.total), page).order_by(M.published_at.desc(), M.id)
    ).all()
    if rows or offset == 0:
        return rows, rows[0].total if rows else 0
    counted = matching.with_only_columns(func.count(), maintain_column_froms=True)
    return rows, reader.execute(counted).scalar_one()


def offered_model(reader: Reader, slug: str) -> AnyRow | None:
    """One published model without the heavy columns, which seldom change."""
    statement = _joined(_card(M.published_version_id, B.schema_revision))
    return reader.execute(statement.where(_has_slug(slug), *_OFFERED)).one_or_none()


def form_parts(reader: Reader, model_id: uuid.UUID) -> AnyRow:
    """What the form is made of: schema, overrides, and the version and revision they are of."""
    statement = select(
        B.input_schema, M.config_overrides, M.published_version_id, B.schema_revision
    )
    return reader.execute(statement.join(B, M.base_model_id == B.id).where(M.id == model_id)).one()


def run_facts(session: Session, slug: str) -> AnyRow | None:
    """Everything a run of the model needs, whatever its state, unless it is deleted."""
    statement = _joined(_run_columns()).where(_has_slug(slug), M.deleted_at.is_(None))
    return session.execute(statement).one_or_none()


def test_facts(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> AnyRow | None:
    """The same for a developer's own model."""
    statement = _joined(_run_columns()).where(M.id == model_id, M.developer_id == developer_id)
    return session.execute(statement.where(M.deleted_at.is_(None))).one_or_none()


def _joined(statement: AnySelect, page: Any = None) -> AnySelect:
    """Model, base model, endpoint and developer; only the models of `page` if there is one."""
    statement = statement.select_from(M)
    if page is not None:
        statement = statement.join(page, page.c.id == M.id)
    return (
        statement.join(B, M.base_model_id == B.id)
        .join(E, B.endpoint_id == E.id)
        .join(D, M.developer_id == D.id)
    )


def _card(*more: Any) -> AnySelect:
    return select(
        M.id,
        M.slug,
        M.title,
        M.description,
        M.price_credits,
        M.published_at,
        M.developer_id,
        D.display_name.label("developer_name"),
        B.name.label("base_model_name"),
        B.category,
        B.output_type,
        B.output_format,
        B.estimated_seconds,
        total_runs(M.id).label("total_runs"),
        *more,
    )


def _run_columns() -> AnySelect:
    return select(
        M.id,
        M.slug,
        M.title,
        M.status,
        M.developer_id,
        M.price_credits,
        M.config_overrides,
        M.published_version_id,
        M.base_model_id,
        D.suspended_at,
        B.input_schema,
        B.schema_revision,
        B.name.label("base_model_name"),
        B.category,
        B.output_type,
        B.output_format,
        B.output_adapter,
        B.estimated_seconds,
        B.queue_seconds,
        B.execution_timeout_seconds,
        B.endpoint_id,
        E.runpod_endpoint_id,
        (B.is_active & E.is_active).label("available"),
    )


def _has_slug(slug: str) -> ColumnElement[bool]:
    return func.lower(M.slug) == slug.lower()


def _contains(search: str) -> ColumnElement[bool]:
    """A substring of the title, description or slug, in any case; % and _ are themselves."""
    return or_(*(c.icontains(search, autoescape=True) for c in (M.title, M.description, M.slug)))
