"""What a run must know of a model, and whether the model can be run at all."""

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from common.catalog import offer_queries
from common.catalog.inputs import Form, form_of
from common.catalog.overrides import ConfigOverrides
from common.catalog.queries import AnyRow
from common.catalog.schemas.fields import is_slug
from common.errors import InvalidStatus, ModelNotFound, ModelUnavailable


@dataclass(frozen=True)
class Runnable:
    """A model as one run sees it. `version_id` is None for a test of an unpublished draft."""

    model_id: uuid.UUID
    version_id: uuid.UUID | None
    slug: str
    title: str
    developer_id: uuid.UUID
    price_credits: int
    overrides: ConfigOverrides
    input_schema: dict[str, Any]
    schema_revision: int
    base_model_id: uuid.UUID
    base_model_name: str
    category: str
    output_type: str
    output_format: str
    output_adapter: str
    estimated_seconds: int
    queue_seconds: int
    execution_timeout_seconds: int
    moderation: str
    endpoint_id: uuid.UUID
    runpod_endpoint_id: str

    @cached_property
    def form(self) -> Form:
        """What turns inputs into the worker's payload, made once for all runs of it."""
        return form_of(self.input_schema, self.overrides)


def runnable(session: Session | Connection, slug: str) -> Runnable:
    """The published model.

    Raises ModelNotFound (unknown, draft or deleted), InvalidStatus (archived) or
    ModelUnavailable (the developer or the model suspended, the base model or the endpoint
    switched off).
    """
    facts = offer_queries.run_facts(session, slug) if is_slug(slug) else None
    if facts is None or facts.status == "DRAFT":
        raise ModelNotFound
    if facts.status == "ARCHIVED":
        raise InvalidStatus("This model is not offered any more.")
    if facts.suspended_at is not None or facts.model_suspended_at is not None:
        raise ModelUnavailable
    return _available(facts)


def testable(session: Session, model_id: uuid.UUID, developer_id: uuid.UUID) -> Runnable:
    """The developer's own model with its present configuration, published or not yet.

    Raises ModelNotFound (also for another developer's), InvalidStatus (archived) or
    ModelUnavailable.
    """
    facts = offer_queries.test_facts(session, model_id, developer_id)
    if facts is None:
        raise ModelNotFound
    if facts.status == "ARCHIVED":
        raise InvalidStatus("An archived model cannot be tested. Publish it first.")
    return _available(facts)


def _available(facts: AnyRow) -> Runnable:
    if not facts.available:
        raise ModelUnavailable
    published = facts.status == "PUBLISHED"
    return Runnable(
        model_id=facts.id,
        version_id=facts.published_version_id if published else None,
        slug=facts.slug,
        title=facts.title,
        developer_id=facts.developer_id,
        price_credits=facts.price_credits,
        overrides=ConfigOverrides.model_validate(facts.config_overrides or {}),
        input_schema=facts.input_schema,
        schema_revision=facts.schema_revision,
        base_model_id=facts.base_model_id,
        base_model_name=facts.base_model_name,
        category=facts.category,
        output_type=facts.output_type,
        output_format=facts.output_format,
        output_adapter=facts.output_adapter,
        estimated_seconds=facts.estimated_seconds,
        queue_seconds=facts.queue_seconds,
        execution_timeout_seconds=facts.execution_timeout_seconds,
        moderation=facts.moderation,
        endpoint_id=facts.endpoint_id,
        runpod_endpoint_id=facts.runpod_endpoint_id,
    )
