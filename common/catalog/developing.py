"""What developers do with their tars models before and beside publishing."""

import uuid
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from common.catalog import queries
from common.catalog.inputs import build_payload
from common.catalog.overrides import ConfigOverrides, check_overrides, visible_schema
from common.catalog.queries import AnyRow
from common.catalog.schemas.developers import (
    BaseModelBrief,
    BaseModelList,
    BaseModelPublic,
    BaseModelUsed,
    PreviewForm,
    PreviewPayload,
    TarsModelChanges,
    TarsModelIn,
    TarsModelItem,
    TarsModelOut,
    TarsModelsQuery,
)
from common.catalog.tables import TarsModelRow
from common.db import violated
from common.errors import (
    BaseModelInactive,
    BaseModelNotFound,
    FrozenField,
    InvalidStatus,
    ModelNotFound,
    SlugTaken,
)
from common.http import Page

FROZEN_WHILE_PUBLISHED = ("title", "slug", "price_credits")


def offered_base_models(session: Session, category: str | None) -> BaseModelList:
    """What tars models can be made of, by name."""
    rows = queries.offered_base_models(session, category)
    return BaseModelList(base_models=[BaseModelPublic.model_validate(row) for row in rows])


def model_count(session: Session, developer_id: uuid.UUID) -> int:
    """How many models the developer has, in any status."""
    return queries.model_count(session, developer_id)


def create_model(session: Session, developer_id: uuid.UUID, new: TarsModelIn) -> TarsModelOut:
    """A new draft. The same order again within a minute answers the first one's draft (K11).

    Raises BaseModelNotFound, BaseModelInactive, InvalidOverrides or SlugTaken.
    """
    _check_foundation(session, new)
    values = {
        **new.model_dump(exclude={"config_overrides"}),
        "config_overrides": stored(new.config_overrides),
        "developer_id": developer_id,
    }
    made = queries.insert_row(session, TarsModelRow, values)
    if made is None:
        made = queries.fresh_draft(session, new.slug)
        if made is None or any(getattr(made, name) != value for name, value in values.items()):
            raise SlugTaken
    return model_of(session, made.id, developer_id)


def model_of(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> TarsModelOut:
    """One of the developer's models; raises ModelNotFound."""
    row = _own(session, model_id, developer_id)
    used = BaseModelUsed.model_validate(row.BaseModelRow)
    return TarsModelOut.model_validate(_shown(row.TarsModelRow, row.total_runs, used))


def models_of(
    session: Session, developer_id: uuid.UUID, query: TarsModelsQuery
) -> Page[TarsModelItem]:
    """The developer's models, newest first."""
    rows, total = queries.own_models(
        session, developer_id, status=query.status, limit=query.limit, offset=query.offset
    )
    return Page([_item(row) for row in rows], total, query)


def change_model(
    session: Session, model_id: uuid.UUID, developer_id: uuid.UUID, changes: TarsModelChanges
) -> TarsModelOut:
    """Applies the fields that were given. A published model's new configuration is a new version.

    Raises ModelNotFound, FrozenField, InvalidOverrides or SlugTaken.
    """
    row = locked(session, model_id, developer_id)
    given = _given(changes)
    _check_frozen(row, given)
    if changes.config_overrides is not None:
        base = foundation(session, row.base_model_id)
        check_overrides(base.input_schema, changes.config_overrides)
    reconfigured = given.get("config_overrides", row.config_overrides) != row.config_overrides
    for name, value in given.items():
        setattr(row, name, value)
    if row.status == "PUBLISHED" and reconfigured:
        row.published_version_id = queries.add_version(session, row)
    _save(session)
    return model_of(session, model_id, developer_id)


def delete_model(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> None:
    """Hides the model for good; its runs keep it. Repeating it changes nothing (K11).

    Raises ModelNotFound, or InvalidStatus while it is published.
    """
    row = queries.own_model_locked(session, model_id, developer_id)
    if row is None:
        raise ModelNotFound
    if row.status == "PUBLISHED":
        raise InvalidStatus("A published model cannot be deleted. Archive it first.")
    if row.deleted_at is None:
        queries.mark_deleted(session, row)


def preview_form(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> PreviewForm:
    """The form that consumers will see; raises ModelNotFound."""
    row = _own(session, model_id, developer_id)
    overrides = ConfigOverrides.model_validate(row.TarsModelRow.config_overrides or {})
    return PreviewForm(input_schema=visible_schema(row.BaseModelRow.input_schema, overrides))


def preview_payload(
    session: Session, model_id: uuid.UUID, developer_id: uuid.UUID, inputs: dict[str, Any]
) -> PreviewPayload:
    """What the worker would get for a consumer's inputs; raises ModelNotFound, InvalidInputs."""
    row = _own(session, model_id, developer_id)
    overrides = ConfigOverrides.model_validate(row.TarsModelRow.config_overrides or {})
    return PreviewPayload(payload=build_payload(row.BaseModelRow.input_schema, overrides, inputs))


def locked(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> TarsModelRow:
    """The developer's model until the transaction ends; raises ModelNotFound."""
    row = queries.own_model_locked(session, model_id, developer_id)
    if row is None or row.deleted_at is not None:
        raise ModelNotFound
    return row


def foundation(session: Session, base_model_id: uuid.UUID) -> AnyRow:
    """input_schema, base_active and endpoint_active of a base model; raises BaseModelNotFound."""
    row = queries.foundation(session, base_model_id)
    if row is None:
        raise BaseModelNotFound
    return row


def stored(overrides: ConfigOverrides | None) -> dict[str, Any] | None:
    """Overrides as they are kept and shown again: what was given, in the wire's spelling."""
    if overrides is None:
        return None
    return overrides.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _check_foundation(session: Session, new: TarsModelIn) -> None:
    base = foundation(session, new.base_model_id)
    if not base.base_active:
        raise BaseModelInactive
    if new.config_overrides is not None:
        check_overrides(base.input_schema, new.config_overrides)


def _given(changes: TarsModelChanges) -> dict[str, Any]:
    given = changes.model_dump(exclude_unset=True, exclude={"config_overrides"})
    if "config_overrides" in changes.model_fields_set:
        given["config_overrides"] = stored(changes.config_overrides)
    return given


def _check_frozen(row: TarsModelRow, given: dict[str, Any]) -> None:
    """Consumers rely on what was published. The same value again is no change (K16)."""
    changed = {name for name, value in given.items() if getattr(row, name) != value}
    if row.status == "PUBLISHED" and changed.intersection(FROZEN_WHILE_PUBLISHED):
        raise FrozenField
    if row.published_at is not None and "slug" in changed:
        raise FrozenField("A model that was published once keeps its slug: links point at it.")


def _save(session: Session) -> None:
    try:
        session.flush()
    except DBAPIError as error:
        if violated(error) != "uq_tars_models_slug":
            raise
        raise SlugTaken from None


def _own(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> AnyRow:
    row = queries.own_model(session, model_id, developer_id)
    if row is None:
        raise ModelNotFound
    return row


def _item(row: AnyRow) -> TarsModelItem:
    brief = BaseModelBrief.model_validate(row)
    return TarsModelItem.model_validate(_shown(row.TarsModelRow, row.total_runs, brief))


def _shown(row: TarsModelRow, total_runs: int, used: BaseModelBrief) -> dict[str, Any]:
    columns = {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
    return {**columns, "total_runs": total_runs, "base_model": used}
