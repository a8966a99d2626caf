"""The states of a tars model: DRAFT or ARCHIVED to PUBLISHED, and anything to ARCHIVED.

Repeating a step is no error, since clients repeat it when an answer got lost (K11). An archived
model can be edited and published again; there is no way back to DRAFT.
"""

import uuid

from sqlalchemy.orm import Session

from common.catalog import developing, queries
from common.catalog.overrides import ConfigOverrides, check_overrides
from common.catalog.schemas.developers import TarsModelOut
from common.catalog.tables import TarsModelRow
from common.errors import FieldError, InvalidOverrides, NotPublishable, UnsupportedAction


def act(
    session: Session, model_id: uuid.UUID, developer_id: uuid.UUID, action: str
) -> TarsModelOut:
    """Publishes or archives; raises UnsupportedAction, ModelNotFound or NotPublishable."""
    actions = {"publish": publish, "archive": archive}
    if action not in actions:
        raise UnsupportedAction
    return actions[action](session, model_id, developer_id)


def publish(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> TarsModelOut:
    """Offers the model as it is now, as a new version; raises ModelNotFound, NotPublishable.

    The day of the first publication stays, so that nobody climbs the list by publishing again.
    """
    row = developing.locked(session, model_id, developer_id)
    if row.status != "PUBLISHED":
        problems = _problems(session, row)
        if problems:
            raise NotPublishable.of(problems)
        queries.mark_published(session, row, queries.add_version(session, row))
    return developing.model_of(session, model_id, developer_id)


def archive(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> TarsModelOut:
    """Takes the model off the market; runs under way end. Raises ModelNotFound."""
    row = developing.locked(session, model_id, developer_id)
    row.status = "ARCHIVED"
    session.flush()
    return developing.model_of(session, model_id, developer_id)


def _problems(session: Session, row: TarsModelRow) -> list[FieldError]:
    """What would keep each run from succeeding. Title and price the table itself requires."""
    foundation = developing.foundation(session, row.base_model_id)
    problems: list[FieldError] = []
    if not foundation.base_active:
        problems.append({"field": "baseModelId", "message": "is not offered any more"})
    elif not foundation.endpoint_active:
        problems.append({"field": "baseModelId", "message": "cannot be run at the moment"})
    least = foundation.minimum_price_credits
    if row.price_credits < least:
        message = f"must be at least {least} credits: the GPU time of this base model costs as much"
        problems.append({"field": "priceCredits", "message": message})
    try:
        overrides = ConfigOverrides.model_validate(row.config_overrides or {})
        check_overrides(foundation.input_schema, overrides)
    except InvalidOverrides as error:
        problems += error.details["errors"]
    return problems
