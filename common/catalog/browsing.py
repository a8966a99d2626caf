"""The public shop window: only models that can really be run."""

import uuid
from collections import OrderedDict

from sqlalchemy import Connection

from common.catalog import offer_queries
from common.catalog.overrides import ConfigOverrides, visible_schema
from common.catalog.queries import AnyRow
from common.catalog.schemas.fields import is_slug
from common.catalog.schemas.public import BrowseQuery
from common.errors import ModelNotFound
from common.http import JsonObject, Page

FormKey = tuple[uuid.UUID | None, int]
MAX_FORMS = 512
# A version and a schema revision never change, so neither does the form made of them.
_forms: OrderedDict[FormKey, JsonObject] = OrderedDict()


def browse(connection: Connection, query: BrowseQuery) -> Page[JsonObject]:
    """Published models, the newest first, each a PublicModelItem as on the wire."""
    page = offer_queries.browse(
        connection,
        category=query.category,
        search=query.search,
        limit=query.limit,
        offset=query.offset,
    )
    return Page(page["items"], page["total"], query)


def detail(connection: Connection, slug: str) -> JsonObject:
    """A published model and the form of its inputs, a PublicModelOut as on the wire.

    Raises ModelNotFound.
    """
    row = offer_queries.offer(connection, slug) if is_slug(slug) else None
    if row is None:
        raise ModelNotFound
    form = _form(connection, row)
    base_model = {**row.card["baseModel"], "inputSchema": form}
    return {**row.card, "baseModel": base_model, "inputSchema": form}


def _form(connection: Connection, row: AnyRow) -> JsonObject:
    form = _forms.get((row.version_id, row.revision))
    if form is None:
        parts = offer_queries.form_parts(connection, row.model_id)
        overrides = ConfigOverrides.model_validate(parts.config_overrides or {})
        form = visible_schema(parts.input_schema, overrides)
        # Keyed by what was read now: the model may have moved on since the first statement.
        _forms[parts.published_version_id, parts.schema_revision] = form
        while len(_forms) > MAX_FORMS:
            _forms.popitem(last=False)
    return form
