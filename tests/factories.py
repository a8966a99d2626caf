"""The rows that tests start from, written as the application role.

Each call makes new ones with names of their own; nothing is shared between two calls.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common.accounts.tables import Consumer, Developer
from common.catalog.tables import BaseModelRow, EndpointRow, TarsModelRow, VersionRow
from common.credits import queries as credits_queries
from common.credits.service import MICRO_CREDITS, split
from common.db import Database
from common.executions import queries
from common.executions.queries import Started

# Far ahead of the machine's clock: what is measured against now() in the database is never due.
NOW = datetime(2100, 1, 1, 12, tzinfo=UTC)
FEE_BPS = 3_000
PROMPT_SCHEMA = {
    "type": "object",
    "required": ["prompt"],
    "additionalProperties": False,
    "properties": {"prompt": {"type": "string", "title": "Prompt"}},
}


@dataclass(frozen=True)
class Offer:
    """A published tars model and all that lies beneath it. Times in seconds, price in credits."""

    slug: str
    developer_id: uuid.UUID
    endpoint_id: uuid.UUID
    runpod_endpoint_id: str
    base_model_id: uuid.UUID
    tars_model_id: uuid.UUID
    version_id: uuid.UUID
    price_credits: int
    queue_seconds: int = 600
    execution_timeout_seconds: int = 600

    @property
    def price(self) -> int:
        """The price in micro-credits."""
        return self.price_credits * MICRO_CREDITS


def _name() -> str:
    return uuid.uuid4().hex[:12]


def make_consumer(db: Database, *, credits_: int = 0, now: datetime = NOW) -> uuid.UUID:
    """A consumer with that many credits."""
    name = _name()
    row = Consumer(firebase_uid=f"consumer-{name}", email=f"{name}@example.com", name=name)
    with db.transaction() as session:
        session.add(row)
    if credits_:
        grant(db, row.id, credits_, now=now)
    return row.id


def make_developer(db: Database) -> uuid.UUID:
    """A developer who has offered nothing yet."""
    name = _name()
    row = Developer(firebase_uid=f"developer-{name}", email=f"{name}@example.com")
    with db.transaction() as session:
        session.add(row)
    return row.id


def make_endpoint(db: Database) -> EndpointRow:
    """An active endpoint at RunPod."""
    name = _name()
    row = EndpointRow(runpod_endpoint_id=f"ep{name}", name=name, source="HUB", gpu_type="A40")
    with db.transaction() as session:
        session.add(row)
    return row


def make_base_model(db: Database, endpoint: EndpointRow, **more: Any) -> BaseModelRow:
    """An active base model for pictures; `more` overrides its columns."""
    columns: dict[str, Any] = {
        "endpoint_id": endpoint.id,
        "slug": f"base-{_name()}",
        "name": "Pictures",
        "category": "IMAGE",
        "input_schema": PROMPT_SCHEMA,
        "output_type": "IMAGE",
        "output_format": "png",
        "output_adapter": "sdxl",
        **more,
    }
    row = BaseModelRow(**columns)
    with db.transaction() as session:
        session.add(row)
    return row


def make_tars_model(
    db: Database, base_model: BaseModelRow, developer_id: uuid.UUID, *, price_credits: int = 10
) -> TarsModelRow:
    """A published tars model in its first version."""
    slug = f"model-{_name()}"
    shared: dict[str, Any] = {
        "title": "A model",
        "base_model_id": base_model.id,
        "price_credits": price_credits,
    }
    row = TarsModelRow(developer_id=developer_id, slug=slug, **shared)
    with db.transaction() as session:
        session.add(row)
        session.flush()
        version = VersionRow(tars_model_id=row.id, number=1, **shared)
        session.add(version)
        session.flush()
        row.published_version_id, row.published_at, row.status = version.id, NOW, "PUBLISHED"
    return row


def make_offer(
    db: Database, *, price_credits: int = 10, developer_id: uuid.UUID | None = None, **base: Any
) -> Offer:
    """A published model with an endpoint and a base model of its own."""
    endpoint = make_endpoint(db)
    base_model = make_base_model(db, endpoint, **base)
    owner = developer_id or make_developer(db)
    model = make_tars_model(db, base_model, owner, price_credits=price_credits)
    assert model.published_version_id is not None
    return Offer(
        slug=model.slug,
        developer_id=owner,
        endpoint_id=endpoint.id,
        runpod_endpoint_id=endpoint.runpod_endpoint_id,
        base_model_id=base_model.id,
        tars_model_id=model.id,
        version_id=model.published_version_id,
        price_credits=price_credits,
        queue_seconds=base_model.queue_seconds,
        execution_timeout_seconds=base_model.execution_timeout_seconds,
    )


def grant(db: Database, consumer_id: uuid.UUID, credits_: int, *, now: datetime = NOW) -> None:
    """Credits that nobody paid for."""
    with db.step() as connection:
        credits_queries.grant(
            connection,
            ref=uuid.uuid4(),
            consumer_id=consumer_id,
            amount=credits_ * MICRO_CREDITS,
            actor="staff",
            reason="a test",
            now=now,
        )


def run_terms(offer: Offer, consumer_id: uuid.UUID) -> dict[str, Any]:
    """What `queries.start` is given for a run of this model."""
    share = split(offer.price_credits, FEE_BPS)
    return _terms(offer, "RUN") | {
        "consumer_id": str(consumer_id),
        "version_id": str(offer.version_id),
        "price": share.price,
        "fee": share.fee,
    }


def trial_terms(offer: Offer) -> dict[str, Any]:
    """What `queries.start_test` is given for a free test of this model."""
    return _terms(offer, "TEST") | {"price": 0, "fee": 0}


def _terms(offer: Offer, kind: str) -> dict[str, Any]:
    inputs = {"prompt": "a lighthouse"}
    return {
        "id": str(uuid.uuid4()),
        "kind": kind,
        "developer_id": str(offer.developer_id),
        "tars_model_id": str(offer.tars_model_id),
        "base_model_id": str(offer.base_model_id),
        "endpoint_id": str(offer.endpoint_id),
        "runpod_endpoint_id": offer.runpod_endpoint_id,
        "output_adapter": "sdxl",
        "output_type": "IMAGE",
        "queue_seconds": offer.queue_seconds,
        "execution_timeout_seconds": offer.execution_timeout_seconds,
        "inputs": inputs,
        "payload": inputs,
    }


def start_execution(
    db: Database,
    offer: Offer,
    consumer_id: uuid.UUID,
    *,
    key: str | None = None,
    request: bytes = b"a request",
    now: datetime = NOW,
) -> Started:
    """A run that waits for its first attempt, its price held."""
    with db.step() as connection:
        return queries.start(
            connection, run_terms(offer, consumer_id), key=key, request_hash=request, now=now
        )
