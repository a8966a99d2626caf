"""Bodies at their limits, to every operation that takes one: refused, and nothing is changed."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from common.settings import Settings
from infra.local.identity.google import RunningGoogle
from tests.http.functions import APPS
from tests.security.access import DOCUMENTED
from tests.security.conftest import CertificateServer
from tests.security.test_access_tokens import call, filled, tokens_for

__all__ = ["call"]
ID = str(uuid.uuid4())
ENDPOINT = {
    "name": "Endpoint",
    "gpuType": "A40",
    "source": "HUB",
    "dockerImage": "image",
    "isActive": True,
}
BASE_MODEL = {
    "endpointId": ID,
    "name": "Base",
    "category": "IMAGE",
    "inputSchema": {"type": "object", "properties": {"prompt": {"type": "string"}}},
    "outputType": "IMAGE",
    "outputFormat": "png",
    "outputAdapter": "sdxl",
    "description": "A base model",
    "estimatedSeconds": 30,
    "queueSeconds": 600,
    "executionTimeoutSeconds": 600,
    "gpuClass": "A40",
    "minimumPriceCredits": 1,
    "moderation": "off",
    "isActive": True,
}
MODEL = {"title": "A model", "slug": "a-model", "description": "A model", "priceCredits": 5}
PERSON = {"displayName": "Dora", "bio": "Draws", "payoutEmail": "d@example.com", "country": "DE"}
OVERRIDES: dict[str, Any] = {"configOverrides": {"defaultInputs": {}}}
INPUTS: dict[str, Any] = {"inputs": {"prompt": "a lighthouse"}}
HOOK = "https://93.184.216.34/hook"
WEBHOOK = {"url": HOOK, "description": "production"}
KEY = {"name": "a key", "expiresAt": "2100-01-01T00:00:00Z"}
# Both fields at once are refused already, so that nothing here sends anything again.
REPLAY = {"since": "2026-01-01T00:00:00Z", "deliveryId": 1}
WHY = {"reason": "a test"}
DEED = {"reason": "a test", "reference": ID}
TASK = {"executionId": ID}
# A body with every field filled in, for every operation that takes one.
BODIES: dict[str, dict[str, dict[str, Any]]] = {
    "marketplace": {
        "POST /auth/register": {"name": "Carl", "email": "c@example.com"},
        "PUT /auth/profile": {"name": "Carl", "avatarUrl": "https://example.com/a.png"},
        "PATCH /auth/profile": {"name": "Carl", "avatarUrl": "https://example.com/a.png"},
        "POST /models/<slug>/run": INPUTS | {"webhook": {"url": HOOK}},
        "POST /executions": INPUTS | {"slug": "a-model", "webhook": {"url": HOOK}},
        "POST /keys": KEY | {"spendLimitCredits": 5, "spendPeriod": "day", "scopes": ["runs:read"]},
        "POST /keys/<id>/rotate": {"overlapHours": 1},
        "POST /account/delete": {"confirm": "delete my account", "giveUp": True},
        "POST /models/<slug>/report": {"reason": "other", "details": "It says nothing."},
        "POST /uploads": {"contentType": "image/png", "bytes": 1000},
        "POST /webhooks": WEBHOOK | {"eventTypes": ["run.completed"]},
        "PATCH /webhooks/<id>": WEBHOOK | {"eventTypes": ["run.completed"], "enabled": True},
        "POST /webhooks/<id>/rotate-secret": {"overlapHours": 1},
        "POST /webhooks/<id>/replay": REPLAY,
        "POST /models/<slug>/quote": INPUTS,
        "POST /credits/purchase": {
            "amountCents": 500, "returnUrl": "https://tarsify.com/credits",
        },
    },
    "studio": {
        "POST /auth/register": {"displayName": "Dora", "email": "d@example.com"},
        "PUT /auth/profile": PERSON | {"avatarUrl": "https://example.com/a.png"},
        "PATCH /auth/profile": PERSON | {"avatarUrl": "https://example.com/a.png"},
        "POST /auth/complete-profile": PERSON,
        "POST /tars-models": MODEL | OVERRIDES | {"baseModelId": ID},
        "PUT /tars-models/<model_id>": MODEL | OVERRIDES,
        "PATCH /tars-models/<model_id>": MODEL | OVERRIDES,
        "POST /tars-models/<model_id>/publish": {"action": "publish"},
        "POST /tars-models/<model_id>/preview": INPUTS,
        "POST /tars-models/<id>/test-run": INPUTS | {"input": {}},
        "POST /payouts/connect-stripe": {
            "returnUrl": "https://studio.tarsify.com/payouts",
            "refreshUrl": "https://studio.tarsify.com/payouts",
            "country": "DE",
        },
        "POST /payouts/request": {"amount": 5000},
        "POST /keys": KEY | {"scopes": ["models:read"]},
        "POST /keys/<id>/rotate": {"overlapHours": 1},
        "POST /account/delete": {"confirm": "delete my account", "giveUp": True},
        "POST /webhooks": WEBHOOK | {"eventTypes": ["payout.paid"]},
        "PATCH /webhooks/<id>": WEBHOOK | {"eventTypes": ["payout.paid"], "enabled": True},
        "POST /webhooks/<id>/rotate-secret": {"overlapHours": 1},
        "POST /webhooks/<id>/replay": REPLAY,
    },
    "admin": {
        "POST /endpoints": ENDPOINT | {"runpodEndpointId": "ep1"},
        "PUT /endpoints/<endpoint_id>": ENDPOINT,
        "PATCH /endpoints/<endpoint_id>": ENDPOINT,
        "POST /base-models": BASE_MODEL | {"slug": "a-base"},
        "PUT /base-models/<base_model_id>": BASE_MODEL,
        "PATCH /base-models/<base_model_id>": BASE_MODEL,
        "POST /credits/grants": {
            "consumerId": ID, "credits": 5, "reason": "a test", "reference": ID,
        },
        "POST /gpu-prices": {
            "gpuClass": "A40", "microUsdPerSecond": 340, "since": "2026-01-01T00:00:00Z",
        },
        "POST /credits/adjustments": DEED | {"consumerId": ID, "credits": -5},
        "POST /wallets/<consumer_id>/freeze": DEED,
        "POST /wallets/<consumer_id>/unfreeze": DEED,
        "POST /runs/<id>/refund": DEED,
        "POST /differences/<id>/close": DEED,
        "POST /purchases/<id>/refund": DEED | {"amountCents": 100, "force": True},
        "PUT /credits/packages": {
            "packages": [{"priceCents": 500, "popular": True}],
            "leastCents": 100,
            "mostCents": 50_000,
        },
        "POST /consumers/<consumer_id>/suspend": WHY,
        "POST /consumers/<consumer_id>/reinstate": WHY,
        "POST /developers/<developer_id>/suspend": WHY,
        "POST /developers/<developer_id>/reinstate": WHY,
        "POST /models/<model_id>/suspend": WHY,
        "POST /models/<model_id>/reinstate": WHY,
        "POST /reports/<id>/close": WHY | {"verdict": "dismiss"},
        "PUT /moderation/terms": {"terms": ["a refused word"]},
        "PUT /limits": {
            "concurrentRuns": 5, "newAccountDays": 7, "newAccountCentsPerDay": 5000,
        },
        "PUT /earnings/terms": {"clearingDays": 7, "minimumPayoutCents": 5000},
    },
    "payments": {},
    "callback": {"POST /runpod/<attempt>/<token>": {"id": "job"}},
    "tasks": {
        "POST /submit": TASK,
        "POST /poll": TASK,
        "POST /timeout": TASK,
        "POST /deliver": {"deliveryId": 1},
    },
    "cleanup": {},
}  # fmt: skip
# Values that no field takes, as they are written in JSON.
VALUES = {
    "nested 100,000 deep": "[" * 100_000 + "]" * 100_000,
    "a huge text": json.dumps("x" * 900_000),
    "NUL": r'"a\u0000b"',
    "half a surrogate pair": r'"\ud800"',
    "a number beyond all": "1e400",
    "2 to the 63rd": str(2**63),
    "NaN": "NaN",
}
JSON = "application/json"


@dataclass
class Door:
    """A function, and a caller that it lets in."""

    name: str
    client: Any
    token: str

    def send(self, row: str, body: bytes, kind: str = JSON) -> Any:
        """Sends a body as it is."""
        method, path = row.split()
        return self.client.open(
            filled(self.name, path),
            method=method,
            data=body,
            content_type=kind,
            headers={"Authorization": f"Bearer {self.token}"},
        )


@pytest.fixture
def door_of(
    call: Callable[[str, str, str], TestResponse],
    google: RunningGoogle,
    certificates: CertificateServer,
    apps: Any,
) -> Callable[[str], Door]:
    """The door of a function, with its caller registered where there is something to register."""

    def make(function: str) -> Door:
        door = Door(
            function,
            apps(function).test_client(),
            tokens_for(function, google, certificates)["good"],
        )
        if "POST /auth/register" in BODIES[function]:
            assert door.send("POST /auth/register", b"{}").status_code == 201
        return door

    return make


@pytest.fixture
def everything(settings: Settings) -> Iterator[Callable[[], dict[str, str]]]:
    """Reads the whole database: a fingerprint of each table."""
    engine = create_engine(settings.database_url)

    def read() -> dict[str, str]:
        with engine.connect() as connection:
            names = connection.scalars(
                text(
                    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') "
                    "AND tablename <> 'rate_limits'"  # that somebody came is written there
                )
            ).all()
            sums = "SELECT coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {} t"
            return {name: str(connection.scalar(text(sums.format(name)))) for name in names}

    yield read
    engine.dispose()


def test_every_operation_with_a_body_is_in_the_table_with_every_field_of_it() -> None:
    declared = {
        name: {
            f"{route.method} {route.path}": {
                str(field.alias) for field in route.body.model_fields.values()
            }
            for route in app.table
            if route.body is not None and not route.hidden
        }
        for name, app in APPS.items()
    }
    assert declared == {
        name: {row: set(body) for row, body in rows.items()} for name, rows in BODIES.items()
    }


@pytest.mark.parametrize("function", sorted(name for name, rows in BODIES.items() if rows))
def test_a_body_at_its_limits_is_refused_and_changes_nothing(
    door_of: Callable[[str], Door], everything: Callable[[], dict[str, str]], function: str
) -> None:
    door, wrong = door_of(function), []
    before = everything()
    for row, body in BODIES[function].items():
        for what, response in [*fields(door, row, body), *wholes(door, row, body)]:
            status = response.status_code
            # RunPod's body is a hint only: what is not read of it is not minded, the URL is.
            minded = {400, 413, 415} | ({404} if function == "callback" else set())
            if status not in minded or str(status) not in DOCUMENTED[function][row]:
                wrong.append((row, what, status, response.text[:200]))
    assert wrong == []
    assert everything() == before


def fields(door: Door, row: str, body: dict[str, Any]) -> Iterator[tuple[str, TestResponse]]:
    """Each value in place of each field of a body that is right otherwise."""
    for name in body:
        written = json.dumps(body | {name: "HERE"})
        for what, value in VALUES.items():
            yield f"{name}: {what}", door.send(row, written.replace('"HERE"', value).encode())


def wholes(door: Door, row: str, body: dict[str, Any]) -> Iterator[tuple[str, TestResponse]]:
    """What can be wrong with a body as a whole."""
    right = json.dumps(body)
    name = next(iter(body))
    limit = next(r for r in APPS[door.name].table if f"{r.method} {r.path}" == row).body_limit
    yield "another media type", door.send(row, right.encode(), "text/plain")
    yield "bytes that are no text", door.send(row, re.sub(r"\{", '{"\xff', right).encode("latin-1"))
    yield "one name twice", door.send(row, right.replace("{", f'{{"{name}":1,', 1).encode())
    yield "no object", door.send(row, f"[{right}]".encode())
    yield "cut off", door.send(row, right[:-1].encode())
    yield "larger than allowed", door.send(row, right.encode().ljust(limit + 1))
