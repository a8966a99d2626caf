"""An example body for every operation that takes one. A test sends each of them."""

from common.http import JsonObject

_ID = "5a0d8c1e-6f0b-4e52-9d35-0f5f4b1d7a66"
_WHY: JsonObject = {"reason": "sells what is not its own"}
EXAMPLES: dict[str, JsonObject] = {
    "POST /endpoints": {"runpodEndpointId": "vllm-fast-7b", "name": "vLLM 7B", "gpuType": "L4"},
    "PUT /endpoints/<endpoint_id>": {"name": "vLLM 7B, Frankfurt"},
    "PATCH /endpoints/<endpoint_id>": {"isActive": True},
    "POST /base-models": {
        "endpointId": _ID,
        "slug": "chat-7b",
        "name": "Chat 7B",
        "category": "TEXT",
        "inputSchema": {
            "type": "object",
            "required": ["prompt"],
            "properties": {"prompt": {"type": "string", "title": "Prompt", "maxLength": 4000}},
        },
        "outputType": "TEXT",
        "outputFormat": "txt",
        "outputAdapter": "vllm",
        "moderation": "warn",
    },
    "PUT /base-models/<base_model_id>": {"estimatedSeconds": 20},
    "PATCH /base-models/<base_model_id>": {"moderation": "block"},
    "POST /gpu-prices": {
        "gpuClass": "ADA_24",
        "microUsdPerSecond": 190,
        "since": "2026-01-01T00:00:00Z",
    },
    "POST /credits/grants": {
        "consumerId": _ID,
        "credits": 100,
        "reason": "a present for an early bird",
        "reference": _ID,
    },
    "POST /credits/adjustments": {
        "consumerId": _ID,
        "credits": -5,
        "reason": "granted twice by mistake",
        "reference": "0b6c1a52-41f4-4f3e-9c0e-3c8f6a5a1f10",
    },
    "POST /wallets/<consumer_id>/freeze": {
        "reason": "a card that was reported stolen",
        "reference": "9f0f2f0c-32a8-4b51-8a3c-1d7c1b0d6f21",
    },
    "POST /wallets/<consumer_id>/unfreeze": {
        "reason": "the bank says it is theirs",
        "reference": "c1b1a7f4-7f1b-4c7c-b2a1-2f4f5d9f7b32",
    },
    "POST /runs/<id>/refund": {
        "reason": "the picture was blank",
        "reference": "d2c2b8a5-8a2c-4d8d-83b2-3a5a6eab8c43",
    },
    "POST /differences/<id>/close": {
        "reason": "the payment was made past us and is sent back",
        "reference": "f4e4dac7-ac4e-4fa9-a5d4-5c7c8acdae65",
    },
    "POST /purchases/<id>/refund": {
        "reason": "bought by mistake",
        "reference": "e3d3c9b6-9b3d-4e9e-94c3-4b6b7fbc9d54",
        "amountCents": 100,
    },
    "PUT /credits/packages": {
        "packages": [{"priceCents": 500, "popular": False}, {"priceCents": 2000, "popular": True}],
        "leastCents": 500,
        "mostCents": 50_000,
    },
    "PUT /earnings/terms": {"clearingDays": 7, "minimumPayoutCents": 5000},
    "POST /consumers/<consumer_id>/suspend": _WHY,
    "POST /consumers/<consumer_id>/reinstate": _WHY,
    "POST /developers/<developer_id>/suspend": _WHY,
    "POST /developers/<developer_id>/reinstate": _WHY,
    "POST /models/<model_id>/suspend": _WHY,
    "POST /models/<model_id>/reinstate": _WHY,
    "POST /reports/<id>/close": {"verdict": "dismiss", "reason": "looked at it, all is well"},
    "PUT /moderation/terms": {"terms": ["a word that nobody may use"]},
    "PUT /limits": {
        "concurrentRuns": 100,
        "newAccountDays": 7,
        "newAccountCentsPerDay": 50_000,
    },
}
