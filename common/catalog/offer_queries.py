"""All SQL about what is on offer: browse, detail, and what a run needs to know.

Browse and detail are the busiest reads of the platform: short statements, one value each
(functions.sql). The driver reads a statement letter by letter on every call.
"""

import uuid
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text
from sqlalchemy.orm import Session

from common.accounts.tables import Developer
from common.catalog.queries import AnyRow, AnySelect
from common.catalog.tables import BaseModelRow, EndpointRow, TarsModelRow

M, B, E, D = TarsModelRow, BaseModelRow, EndpointRow, Developer

_BROWSE = text("SELECT browse_offers(:category, :search, :limit, :offset)")
_OFFER = text("SELECT * FROM offer_of(:slug)")


def browse(connection: Connection, **filters: Any) -> dict[str, Any]:
    """One page: `total` and `items`, cards as on the wire.

    Filters: category, search, limit, offset.
    """
    page: dict[str, Any] = connection.execute(_BROWSE, filters).scalar_one()
    return page


def offer(connection: Connection, slug: str) -> AnyRow | None:
    """One model on offer: model_id, card (as on the wire), version_id, revision."""
    row = connection.execute(_OFFER, {"slug": slug}).one()
    return row if row.model_id is not None else None


def form_parts(connection: Connection, model_id: uuid.UUID) -> AnyRow:
    """What the form is made of: schema, overrides, and the version and revision they are of."""
    statement = select(
        B.input_schema, M.config_overrides, M.published_version_id, B.schema_revision
    )
    return connection.execute(
        statement.join(B, M.base_model_id == B.id).where(M.id == model_id)
    ).one()


def run_facts(session: Session | Connection, slug: str) -> AnyRow | None:
    """Everything a run of the model needs, whatever its state, unless it is deleted."""
    return session.execute(_RUN_FACTS, {"slug": slug.lower()}).one_or_none()


def test_facts(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> AnyRow | None:
    """The same for a developer's own model."""
    statement = _joined(_run_columns()).where(M.id == model_id, M.developer_id == developer_id)
    return session.execute(statement.where(M.deleted_at.is_(None))).one_or_none()


def _joined(statement: AnySelect) -> AnySelect:
    """Model, base model, endpoint and developer."""
    return (
        statement.select_from(M)
        .join(B, M.base_model_id == B.id)
        .join(E, B.endpoint_id == E.id)
        .join(D, M.developer_id == D.id)
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
        M.suspended_at.label("model_suspended_at"),
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
        B.moderation,
        B.endpoint_id,
        E.runpod_endpoint_id,
        (B.is_active & E.is_active).label("available"),
    )


_RUN_FACTS = _joined(_run_columns()).where(
    func.lower(M.slug) == bindparam("slug"), M.deleted_at.is_(None)
)
