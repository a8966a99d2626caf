"""An example body for every operation that takes one. A test sends each of them."""

from common.http import JsonObject

_RUN: JsonObject = {"inputs": {"prompt": "a lighthouse in a storm"}}
_WEBHOOK: JsonObject = {
    "url": "https://example.com/hooks/tarsify",
    "eventTypes": ["run.completed", "run.failed"],
    "description": "production",
}
EXAMPLES: dict[str, JsonObject] = {
    "POST /auth/register": {"name": "Alice"},
    "PUT /auth/profile": {"name": "Alice A.", "avatarUrl": "https://example.com/alice.png"},
    "PATCH /auth/profile": {"avatarUrl": None},
    "POST /keys": {
        "name": "nightly batch",
        "scopes": ["runs:read", "runs:write", "credits:read"],
        "spendLimitCredits": 1000,
        "spendPeriod": "day",
    },
    "POST /keys/<id>/rotate": {"overlapHours": 24},
    "POST /account/delete": {"confirm": "delete my account", "giveUp": True},
    "POST /credits/purchase": {"amountCents": 500},
    "POST /models/<slug>/quote": _RUN,
    "POST /models/<slug>/report": {
        "reason": "misleading",
        "details": "The pictures show something else than what I asked for.",
    },
    "POST /uploads": {"contentType": "audio/wav", "bytes": 1_000_000},
    "POST /models/<slug>/run": _RUN,
    "POST /executions": {**_RUN, "slug": "lighthouses"},
    "POST /webhooks": _WEBHOOK,
    "PATCH /webhooks/<id>": {"eventTypes": [], "enabled": True},
    "POST /webhooks/<id>/rotate-secret": {"overlapHours": 24},
    "POST /webhooks/<id>/replay": {"since": "2026-01-01T00:00:00Z"},
}
