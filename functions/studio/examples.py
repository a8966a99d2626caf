"""An example body for every operation that takes one. A test sends each of them."""

from common.http import JsonObject

_INPUTS: JsonObject = {"inputs": {"prompt": "a lighthouse in a storm"}}
EXAMPLES: dict[str, JsonObject] = {
    "POST /auth/register": {"displayName": "Dana Draws"},
    "PUT /auth/profile": {"displayName": "Dana Draws", "bio": "Pictures of the sea."},
    "PATCH /auth/profile": {"country": "DE"},
    "POST /auth/complete-profile": {"displayName": "Dana Draws", "country": "DE"},
    "POST /keys": {"name": "deploy", "scopes": ["models:read", "models:write"]},
    "POST /keys/<id>/rotate": {"overlapHours": 24},
    "POST /account/delete": {"confirm": "delete my account", "giveUp": True},
    "POST /payouts/connect-stripe": {"country": "US"},
    "POST /payouts/request": {"amount": 5000},
    "POST /tars-models": {
        "baseModelId": "5a0d8c1e-6f0b-4e52-9d35-0f5f4b1d7a66",
        "title": "Lighthouses",
        "slug": "lighthouses-at-night",
        "description": "Paints lighthouses, whatever you ask for.",
        "priceCredits": 10,
        "configOverrides": {"promptPrefix": "A lighthouse. ", "promptSuffix": ", oil on canvas"},
    },
    "PUT /tars-models/<model_id>": {"description": "Paints lighthouses."},
    "PATCH /tars-models/<model_id>": {"description": "Paints lighthouses at night."},
    "POST /tars-models/<model_id>/publish": {"action": "publish"},
    "POST /tars-models/<model_id>/preview": _INPUTS,
    "POST /tars-models/<id>/test-run": _INPUTS,
    "POST /webhooks": {
        "url": "https://example.com/hooks/tarsify",
        "eventTypes": ["payout.paid", "payout.failed"],
    },
    "PATCH /webhooks/<id>": {"eventTypes": [], "enabled": True},
    "POST /webhooks/<id>/rotate-secret": {"overlapHours": 24},
    "POST /webhooks/<id>/replay": {"since": "2026-01-01T00:00:00Z"},
}
