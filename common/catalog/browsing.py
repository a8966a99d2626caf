"""The public shop window: only models that can really be run."""

import uuid
from collections import OrderedDict
from typing import Any

from common.catalog import offer_queries
from common.catalog.offer_queries import Reader
from common.catalog.overrides import ConfigOverrides, visible_schema
from common.catalog.queries import AnyRow
from common.catalog.schemas.public import (
    BrowseQuery,
    ModelDeveloper,
    PublicBaseModel,
    PublicBaseModelForm,
    PublicModelItem,
    PublicModelOut,
)
from common.errors import ModelNotFound
from common.http import JsonObject, Page

FormKey = tuple[uuid.UUID | None, int]
MAX_FORMS = 512
# A version and a schema revision never change, so neither does the form made of them.
_forms: OrderedDict[FormKey, JsonObject] = OrderedDict()


def browse(reader: Reader, query: BrowseQuery) -> Page[PublicModelItem]:
    """Published models, the newest first."""
    rows, total = offer_queries.offered(
        reader,
        category=query.category,
        search=query.search,
        limit=query.limit,
        offset=query.offset,
    )
    return Page([_item(row) for row in rows], total, query)


def detail(reader: Reader, slug: str) -> PublicModelOut:
    """A published model and the form of its inputs; raises ModelNotFound."""
    row = offer_queries.offered_model(reader, slug)
    if row is None:
        raise ModelNotFound
    form = _form(reader, row)
    return PublicModelOut.model_construct(
        **_common(row),
        base_model=PublicBaseModelForm.model_construct(**_base_model(row), input_schema=form),
        input_schema=form,
    )


def _form(reader: Reader, row: AnyRow) -> JsonObject:
    key: FormKey = (row.published_version_id, row.schema_revision)
    form = _forms.get(key)
    if form is None:
        parts = offer_queries.form_parts(reader, row.id)
        overrides = ConfigOverrides.model_validate(parts.config_overrides or {})
        form = visible_schema(parts.input_schema, overrides)
        # Keyed by what was read now: the model may have moved on since the first statement.
        _forms[parts.published_version_id, parts.schema_revision] = form
        while len(_forms) > MAX_FORMS:
            _forms.popitem(last=False)
    return form


def _item(row: AnyRow) -> PublicModelItem:
    return PublicModelItem.model_construct(
        **_common(row), base_model=PublicBaseModel.model_construct(**_base_model(row))
    )


def _common(row: AnyRow) -> dict[str, Any]:
    """Not validated again: every value comes from a column with a type and a check."""
    return {
        "id": row.id,
        "slug": row.slug,
        "title": row.title,
        "description": row.description,
        "price_credits": row.price_credits,
        "total_runs": row.total_runs,
        "published_at": row.published_at,
        "developer": ModelDeveloper.model_construct(id=row.developer_id, name=row.developer_name),
        "category": row.category,
        "output_type": row.output_type,
        "output_format": row.output_format,
        "estimated_seconds": row.estimated_seconds,
    }


def _base_model(row: AnyRow) -> dict[str, Any]:
    return {
        "name": row.base_model_name,
        "category": row.category,
        "output_type": row.output_type,
        "output_format": row.output_format,
        "estimated_seconds": row.estimated_seconds,
    }
