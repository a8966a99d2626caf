"""A small catalogue in the database, made through the services."""

import uuid
from dataclasses import dataclass
from typing import Any

from common.accounts import service as accounts
from common.catalog import service as catalog
from common.catalog.schemas.developers import TarsModelIn, TarsModelOut
from common.catalog.schemas.staff import BaseModelIn, EndpointIn
from common.db import Database
from common.gateways.identity import Identity

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "maxLength": 2000},
        "width": {"type": "integer", "enum": [512, 768, 1024], "default": 1024},
    },
    "required": ["prompt"],
}


@dataclass
class Shop:
    """One endpoint, one base model, and developers by name."""

    db: Database
    endpoint_id: uuid.UUID
    base_model_id: uuid.UUID

    @classmethod
    def open(cls, db: Database) -> "Shop":
        with db.transaction() as session:
            endpoint = catalog.create_endpoint(
                session, EndpointIn(runpod_endpoint_id="rp-1", name="GPU", gpu_type="A40")
            )
            base = catalog.create_base_model(
                session,
                BaseModelIn(
                    endpoint_id=endpoint.id,
                    slug="sdxl",
                    name="SDXL",
                    category="IMAGE",
                    input_schema=SCHEMA,
                    output_type="IMAGE",
                    output_format="png",
                    output_adapter="sdxl",
                    queue_seconds=120,
                ),
            )
        return cls(db, endpoint.id, base.id)

    def developer(self, name: str = "dora") -> uuid.UUID:
        identity = Identity(
            uid=name,
            email=f"{name}@example.com",
            email_verified=True,
            name=name,
            picture=None,
            admin=False,
        )
        with self.db.transaction() as session:
            return accounts.register_developer(session, identity, None).id

    def order(self, **changes: Any) -> TarsModelIn:
        facts = {
            "base_model_id": self.base_model_id,
            "title": "Neon",
            "slug": "neon",
            "price_credits": 7,
        }
        return TarsModelIn(**{**facts, **changes})

    def draft(self, developer_id: uuid.UUID, **changes: Any) -> TarsModelOut:
        with self.db.transaction() as session:
            return catalog.create_model(session, developer_id, self.order(**changes))

    def published(self, developer_id: uuid.UUID, **changes: Any) -> TarsModelOut:
        made = self.draft(developer_id, **changes)
        with self.db.transaction() as session:
            return catalog.publish(session, made.id, developer_id)
