"""What staff do: register endpoints and base models, change them, switch them off."""

import uuid
from typing import Any

from sqlalchemy.orm import Session

from common.catalog import queries
from common.catalog.input_schema import check_input_schema
from common.catalog.queries import AnyRow
from common.catalog.schemas.staff import (
    BaseModelAdmin,
    BaseModelChanges,
    BaseModelCount,
    BaseModelIn,
    BaseModelsQuery,
    EndpointBrief,
    EndpointChanges,
    EndpointIn,
    EndpointOut,
    EndpointsQuery,
)
from common.catalog.tables import BaseModelRow, EndpointRow
from common.errors import BaseModelNotFound, BaseModelSlugTaken, EndpointNotFound, EndpointTaken
from common.http import Page


def create_endpoint(session: Session, new: EndpointIn) -> EndpointOut:
    """Registers an endpoint; raises EndpointTaken."""
    made = queries.insert_row(session, EndpointRow, new.model_dump())
    if made is None:
        raise EndpointTaken
    return _endpoint_out(made, 0)


def endpoint_of(session: Session, endpoint_id: uuid.UUID) -> EndpointOut:
    """One endpoint; raises EndpointNotFound."""
    row = queries.endpoint(session, endpoint_id)
    if row is None:
        raise EndpointNotFound
    return _endpoint_out(row.EndpointRow, row.base_model_count)


def endpoints(session: Session, query: EndpointsQuery) -> Page[EndpointOut]:
    """Endpoints, newest first."""
    rows, total = queries.endpoints(
        session, is_active=query.is_active, limit=query.limit, offset=query.offset
    )
    return Page([_endpoint_out(r.EndpointRow, r.base_model_count) for r in rows], total, query)


def change_endpoint(
    session: Session, endpoint_id: uuid.UUID, changes: EndpointChanges
) -> EndpointOut:
    """Applies the fields that were given; raises EndpointNotFound."""
    row = queries.locked(session, EndpointRow, endpoint_id)
    if row is None:
        raise EndpointNotFound
    _apply(row, changes.model_dump(exclude_unset=True))
    session.flush()
    return endpoint_of(session, endpoint_id)


def retire_endpoint(session: Session, endpoint_id: uuid.UUID) -> None:
    """Switches an endpoint off: runs under way end, no new one starts."""
    change_endpoint(session, endpoint_id, EndpointChanges(is_active=False))


def create_base_model(session: Session, new: BaseModelIn) -> BaseModelAdmin:
    """Registers a base model.

    Raises EndpointNotFound, BaseModelSlugTaken or InvalidInputSchema.
    """
    check_input_schema(new.input_schema)
    _require_endpoint(session, new.endpoint_id)
    made = queries.insert_row(session, BaseModelRow, new.model_dump())
    if made is None:
        raise BaseModelSlugTaken
    return base_model_of(session, made.id)


def base_model_of(session: Session, base_model_id: uuid.UUID) -> BaseModelAdmin:
    """One base model; raises BaseModelNotFound."""
    row = queries.base_model(session, base_model_id)
    if row is None:
        raise BaseModelNotFound
    return _base_model_out(row)


def base_models(session: Session, query: BaseModelsQuery) -> Page[BaseModelAdmin]:
    """Base models, newest first."""
    rows, total = queries.base_models(
        session,
        is_active=query.is_active,
        category=query.category,
        endpoint_id=query.endpoint_id,
        limit=query.limit,
        offset=query.offset,
    )
    return Page([_base_model_out(row) for row in rows], total, query)


def change_base_model(
    session: Session, base_model_id: uuid.UUID, changes: BaseModelChanges
) -> BaseModelAdmin:
    """Applies the fields that were given; a changed schema is a new revision.

    Raises BaseModelNotFound, EndpointNotFound or InvalidInputSchema.
    """
    row = queries.locked(session, BaseModelRow, base_model_id)
    if row is None:
        raise BaseModelNotFound
    given = changes.model_dump(exclude_unset=True)
    if "endpoint_id" in given:
        _require_endpoint(session, given["endpoint_id"])
    if given.get("input_schema", row.input_schema) != row.input_schema:
        check_input_schema(given["input_schema"])
        row.schema_revision += 1
    _apply(row, given)
    session.flush()
    return base_model_of(session, base_model_id)


def retire_base_model(session: Session, base_model_id: uuid.UUID) -> None:
    """Switches a base model off: its tars models leave the shop window."""
    change_base_model(session, base_model_id, BaseModelChanges(is_active=False))


def _require_endpoint(session: Session, endpoint_id: uuid.UUID) -> None:
    if queries.endpoint(session, endpoint_id) is None:
        raise EndpointNotFound


def _apply(row: EndpointRow | BaseModelRow, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)


def _endpoint_out(row: EndpointRow, base_model_count: int) -> EndpointOut:
    return EndpointOut.model_validate(
        {**_columns(row), "count": BaseModelCount(base_models=base_model_count)}
    )


def _base_model_out(row: AnyRow) -> BaseModelAdmin:
    brief = EndpointBrief.model_validate(row.EndpointRow)
    return BaseModelAdmin.model_validate({**_columns(row.BaseModelRow), "endpoint": brief})


def _columns(row: EndpointRow | BaseModelRow) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
