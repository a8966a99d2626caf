"""The access table: one row for every route of every function, and how each caller is answered."""

from common.http import App
from common.http.openapi import document
from tests.http.functions import APPS

# What stands behind a route, i.e. who may call it and how everybody else is answered.
PUBLIC = "public"  # anyone
CALLBACK = "callback"  # whoever knows the URL
USER, CONSUMER, RUN = "user", "consumer", "run"  # signed in; registered; owns the run
SIGNED_IN_DEVELOPER, DEVELOPER, OWN_MODEL = "signed-in developer", "developer", "own model"
STAFF = "staff"
PURCHASE, SIGNED = "own purchase", "signed by Stripe"
KEY, WEBHOOK = "own key", "own webhook"
OWN_KEY, OWN_WEBHOOK = "developer's own key", "developer's own webhook"
INTERNAL = "internal"  # the queue's and the scheduler's account

HEALTH = {
    "GET /health": PUBLIC,
    "GET /health/live": PUBLIC,
    "GET /health/ready": PUBLIC,
    "GET /openapi.json": PUBLIC,
}
TABLE: dict[str, dict[str, str]] = {
    "marketplace": HEALTH
    | {
        "GET /": PUBLIC,
        "GET /models": PUBLIC,
        "GET /reference": PUBLIC,
        "GET /reference/openapi.json": PUBLIC,
        "GET /models/<slug>": PUBLIC,
        "POST /auth/register": USER,
        "GET /auth/me": CONSUMER,
        "PUT /auth/profile": CONSUMER,
        "PATCH /auth/profile": CONSUMER,
        "POST /models/<slug>/run": CONSUMER,
        "POST /executions": CONSUMER,
        "GET /runs": CONSUMER,
        "GET /executions": CONSUMER,
        "GET /runs/<id>": RUN,
        "GET /executions/<id>": RUN,
        "GET /runs/<id>/status": RUN,
        "GET /executions/<id>/status": RUN,
        "POST /runs/<id>/cancel": RUN,
        "POST /executions/<id>/cancel": RUN,
        "GET /runs/<id>/receipt": RUN,
        "GET /executions/<id>/receipt": RUN,
        "POST /models/<slug>/quote": CONSUMER,
        "GET /credits": CONSUMER,
        "GET /credits/packages": PUBLIC,
        "GET /credits/charges": PUBLIC,
        "POST /credits/purchase": CONSUMER,
        "GET /credits/purchases/<id>": PURCHASE,
        "GET /credits/history": CONSUMER,
        "GET /credits/statement": CONSUMER,
        "POST /keys": CONSUMER,
        "GET /keys": CONSUMER,
        "POST /keys/<id>/rotate": KEY,
        "DELETE /keys/<id>": KEY,
        "GET /account/export": CONSUMER,
        "POST /account/delete": CONSUMER,
        "POST /models/<slug>/report": CONSUMER,
        "POST /uploads": CONSUMER,
        "GET /runs/<id>/events": RUN,
        "GET /events": CONSUMER,
        "POST /webhooks": CONSUMER,
        "GET /webhooks": CONSUMER,
        "GET /webhooks/run-secret": CONSUMER,
        "PUT /webhooks/run-secret": CONSUMER,
        "PATCH /webhooks/<id>": WEBHOOK,
        "DELETE /webhooks/<id>": WEBHOOK,
        "POST /webhooks/<id>/rotate-secret": WEBHOOK,
        "POST /webhooks/<id>/test": WEBHOOK,
        "GET /webhooks/<id>/deliveries": WEBHOOK,
        "POST /webhooks/<id>/replay": WEBHOOK,
    },
    "studio": HEALTH
    | {
        "GET /": PUBLIC,
        "POST /auth/register": SIGNED_IN_DEVELOPER,
        "GET /auth/me": DEVELOPER,
        "PUT /auth/profile": DEVELOPER,
        "PATCH /auth/profile": DEVELOPER,
        "POST /auth/complete-profile": DEVELOPER,
        "GET /tars-models/base-models": DEVELOPER,
        "GET /base-models": DEVELOPER,
        "POST /tars-models": DEVELOPER,
        "GET /tars-models": DEVELOPER,
        "GET /tars-models/<model_id>": OWN_MODEL,
        "PUT /tars-models/<model_id>": OWN_MODEL,
        "PATCH /tars-models/<model_id>": OWN_MODEL,
        "DELETE /tars-models/<model_id>": OWN_MODEL,
        "POST /tars-models/<model_id>/publish": OWN_MODEL,
        "POST /tars-models/<model_id>/archive": OWN_MODEL,
        "GET /tars-models/<model_id>/preview": OWN_MODEL,
        "POST /tars-models/<model_id>/preview": OWN_MODEL,
        "POST /tars-models/<id>/test-run": OWN_MODEL,
        "GET /earnings": DEVELOPER,
        "GET /earnings/history": DEVELOPER,
        "GET /earnings/breakdown": DEVELOPER,
        "GET /payouts": DEVELOPER,
        "GET /payouts/account": DEVELOPER,
        "POST /payouts/connect-stripe": DEVELOPER,
        "POST /payouts/request": DEVELOPER,
        "POST /keys": DEVELOPER,
        "GET /keys": DEVELOPER,
        "POST /keys/<id>/rotate": OWN_KEY,
        "DELETE /keys/<id>": OWN_KEY,
        "GET /account/export": DEVELOPER,
        "POST /account/delete": DEVELOPER,
        "GET /events": DEVELOPER,
        "POST /webhooks": DEVELOPER,
        "GET /webhooks": DEVELOPER,
        "PATCH /webhooks/<id>": OWN_WEBHOOK,
        "DELETE /webhooks/<id>": OWN_WEBHOOK,
        "POST /webhooks/<id>/rotate-secret": OWN_WEBHOOK,
        "POST /webhooks/<id>/test": OWN_WEBHOOK,
        "GET /webhooks/<id>/deliveries": OWN_WEBHOOK,
        "POST /webhooks/<id>/replay": OWN_WEBHOOK,
    },
    "admin": HEALTH
    | {
        "POST /endpoints": STAFF,
        "GET /endpoints": STAFF,
        "GET /endpoints/<endpoint_id>": STAFF,
        "PUT /endpoints/<endpoint_id>": STAFF,
        "PATCH /endpoints/<endpoint_id>": STAFF,
        "DELETE /endpoints/<endpoint_id>": STAFF,
        "POST /base-models": STAFF,
        "GET /base-models": STAFF,
        "GET /base-models/<base_model_id>": STAFF,
        "PUT /base-models/<base_model_id>": STAFF,
        "PATCH /base-models/<base_model_id>": STAFF,
        "DELETE /base-models/<base_model_id>": STAFF,
        "POST /credits/grants": STAFF,
        "GET /audit": STAFF,
        "GET /gpu-prices": STAFF,
        "POST /gpu-prices": STAFF,
        "POST /credits/adjustments": STAFF,
        "POST /wallets/<consumer_id>/freeze": STAFF,
        "POST /wallets/<consumer_id>/unfreeze": STAFF,
        "POST /runs/<id>/refund": STAFF,
        "POST /purchases/<id>/refund": STAFF,
        "GET /actions": STAFF,
        "GET /margins": STAFF,
        "GET /differences": STAFF,
        "POST /differences/<id>/close": STAFF,
        "PUT /credits/packages": STAFF,
        "PUT /earnings/terms": STAFF,
        "POST /consumers/<consumer_id>/suspend": STAFF,
        "POST /consumers/<consumer_id>/reinstate": STAFF,
        "POST /developers/<developer_id>/suspend": STAFF,
        "POST /developers/<developer_id>/reinstate": STAFF,
        "POST /models/<model_id>/suspend": STAFF,
        "POST /models/<model_id>/reinstate": STAFF,
        "GET /reports": STAFF,
        "POST /reports/<id>/close": STAFF,
        "PUT /moderation/terms": STAFF,
        "GET /moderation/terms": STAFF,
        "GET /moderation/findings": STAFF,
        "GET /limits": STAFF,
        "PUT /limits": STAFF,
    },
    "callback": HEALTH | {"GET /": PUBLIC, "POST /runpod/<attempt>/<token>": CALLBACK},
    "payments": HEALTH | {"GET /": PUBLIC, "POST /": SIGNED, "POST /connect": SIGNED},
    "tasks": HEALTH
    | {
        "POST /submit": INTERNAL,
        "POST /poll": INTERNAL,
        "POST /timeout": INTERNAL,
        "POST /deliver": INTERNAL,
    },
    "cleanup": HEALTH
    | {
        "POST /sweep": INTERNAL,
        "POST /cancels": INTERNAL,
        "POST /payments": INTERNAL,
        "POST /reconcile": INTERNAL,
        "POST /audit": INTERNAL,
        "POST /endpoints": INTERNAL,
    },
}
# What an API key may do, and with which scope; everything else only people may.
SCOPES: dict[str, dict[str, str]] = {
    "marketplace": dict.fromkeys(
        (
            "POST /models/<slug>/run",
            "POST /executions",
            "POST /runs/<id>/cancel",
            "POST /executions/<id>/cancel",
            "POST /uploads",
        ),
        "runs:write",
    )
    | dict.fromkeys(
        (
            "GET /runs",
            "GET /executions",
            "GET /runs/<id>",
            "GET /executions/<id>",
            "GET /runs/<id>/status",
            "GET /executions/<id>/status",
            "GET /runs/<id>/receipt",
            "GET /executions/<id>/receipt",
            "GET /runs/<id>/events",
            "POST /models/<slug>/quote",
        ),
        "runs:read",
    )
    | dict.fromkeys(
        ("GET /events", "GET /webhooks", "GET /webhooks/<id>/deliveries"), "events:read"
    )
    | dict.fromkeys(
        (
            "GET /credits",
            "GET /credits/purchases/<id>",
            "GET /credits/history",
            "GET /credits/statement",
        ),
        "credits:read",
    )
    | dict.fromkeys(
        (
            "POST /webhooks",
            "GET /webhooks/run-secret",
            "PUT /webhooks/run-secret",
            "PATCH /webhooks/<id>",
            "DELETE /webhooks/<id>",
            "POST /webhooks/<id>/rotate-secret",
            "POST /webhooks/<id>/test",
            "POST /webhooks/<id>/replay",
        ),
        "webhooks:write",
    ),
    "studio": dict.fromkeys(
        (
            "GET /tars-models/base-models",
            "GET /base-models",
            "GET /tars-models",
            "GET /tars-models/<model_id>",
            "GET /tars-models/<model_id>/preview",
            "POST /tars-models/<model_id>/preview",
        ),
        "models:read",
    )
    | dict.fromkeys(
        (
            "POST /tars-models",
            "PUT /tars-models/<model_id>",
            "PATCH /tars-models/<model_id>",
            "DELETE /tars-models/<model_id>",
            "POST /tars-models/<model_id>/publish",
            "POST /tars-models/<model_id>/archive",
            "POST /tars-models/<id>/test-run",
        ),
        "models:write",
    )
    | dict.fromkeys(
        (
            "GET /earnings",
            "GET /earnings/history",
            "GET /earnings/breakdown",
            "GET /payouts",
            "GET /payouts/account",
        ),
        "earnings:read",
    )
    | dict.fromkeys(
        ("GET /events", "GET /webhooks", "GET /webhooks/<id>/deliveries"), "events:read"
    )
    | dict.fromkeys(
        (
            "POST /webhooks",
            "PATCH /webhooks/<id>",
            "DELETE /webhooks/<id>",
            "POST /webhooks/<id>/rotate-secret",
            "POST /webhooks/<id>/test",
            "POST /webhooks/<id>/replay",
        ),
        "webhooks:write",
    ),
}
PREFIX = {
    "marketplace": "/api/marketplace",
    "studio": "/api/studio",
    "admin": "/api/admin",
    "callback": "/api/webhooks",
    "payments": "/api/webhooks/stripe",
    "tasks": "/internal/tasks",
    "cleanup": "/internal/cleanup",
}
Answer = tuple[int, str]
MISSING, RUBBISH, OTHER_PROJECT = (
    (401, "MISSING_TOKEN"),
    (401, "INVALID_TOKEN"),
    (401, "WRONG_PROJECT"),
)
NO_CONSUMER, NO_DEVELOPER = (404, "CONSUMER_NOT_FOUND"), (404, "DEVELOPER_NOT_FOUND")
SUSPENDED = (403, "ACCOUNT_SUSPENDED")
NO_RUN, NO_MODEL, NO_ROUTE = (
    (404, "EXECUTION_NOT_FOUND"),
    (404, "MODEL_NOT_FOUND"),
    (404, "ROUTE_NOT_FOUND"),
)
NO_KEY, NO_WEBHOOK = (404, "KEY_NOT_FOUND"), (404, "WEBHOOK_NOT_FOUND")
UNKNOWN_KEY, NOT_BY_KEY = (401, "INVALID_KEY"), (403, "KEY_NOT_ALLOWED")
NO_PURCHASE, NOT_FROM_STRIPE = (404, "PURCHASE_NOT_FOUND"), (400, "BAD_SIGNATURE")
NOT_STAFF = (403, "NOT_AN_ADMIN")
EXPIRED = (401, "TOKEN_EXPIRED")

# For each kind of route: how each kind of caller is turned away. Who is not listed gets in.
_BARE = {"no token": MISSING, "rubbish": RUBBISH}
_USER = _BARE | {"new developer": OTHER_PROJECT, "developer": OTHER_PROJECT, "staff": OTHER_PROJECT}
_DEVELOPER = _BARE | {"new user": OTHER_PROJECT, "consumer": OTHER_PROJECT}
_CONSUMER = _USER | {"new user": NO_CONSUMER, "suspended consumer": SUSPENDED}
_REGISTERED = _DEVELOPER | {
    "new developer": NO_DEVELOPER,
    "staff": NO_DEVELOPER,
    "suspended developer": SUSPENDED,
}
_NOT_STAFF = {"developer": NOT_STAFF, "new developer": NOT_STAFF}
PEOPLE = (
    "no token", "rubbish", "new user", "consumer", "suspended consumer",
    "new developer", "developer", "suspended developer", "staff",
)  # fmt: skip
REFUSED: dict[str, dict[str, Answer]] = {
    PUBLIC: {},
    CALLBACK: dict.fromkeys(PEOPLE, NO_ROUTE),
    USER: _USER | {"suspended consumer": SUSPENDED},
    CONSUMER: _CONSUMER,
    RUN: _CONSUMER | {"consumer": NO_RUN},
    PURCHASE: _CONSUMER | {"consumer": NO_PURCHASE},
    KEY: _CONSUMER | {"consumer": NO_KEY},
    WEBHOOK: _CONSUMER | {"consumer": NO_WEBHOOK},
    OWN_KEY: _REGISTERED | {"developer": NO_KEY},
    OWN_WEBHOOK: _REGISTERED | {"developer": NO_WEBHOOK},
    SIGNED: dict.fromkeys(PEOPLE, NOT_FROM_STRIPE),
    SIGNED_IN_DEVELOPER: _DEVELOPER | {"suspended developer": SUSPENDED},
    DEVELOPER: _REGISTERED,
    OWN_MODEL: _REGISTERED | {"developer": NO_MODEL},
    STAFF: _DEVELOPER | _NOT_STAFF,
    INTERNAL: {"no token": MISSING, **dict.fromkeys(PEOPLE[1:], RUBBISH)},
}
# Tokens that look like the right caller's: everywhere refused before anything else is looked at.
TOKENS = ("expired", "unsigned")
for _kind in set(REFUSED) - {PUBLIC, CALLBACK, SIGNED, INTERNAL}:
    REFUSED[_kind] |= {"expired": EXPIRED, "unsigned": RUBBISH}
REFUSED[INTERNAL] |= dict.fromkeys(TOKENS, RUBBISH)
REFUSED[CALLBACK] |= dict.fromkeys(TOKENS, NO_ROUTE)
REFUSED[SIGNED] |= dict.fromkeys(TOKENS, NOT_FROM_STRIPE)
# Those of the other project are answered alike everywhere, suspended or not.
for _kind in (USER, CONSUMER, RUN, PURCHASE, KEY, WEBHOOK):
    REFUSED[_kind]["suspended developer"] = OTHER_PROJECT
for _kind in (SIGNED_IN_DEVELOPER, DEVELOPER, OWN_MODEL, OWN_KEY, OWN_WEBHOOK, STAFF):
    REFUSED[_kind]["suspended consumer"] = OTHER_PROJECT
REFUSED[STAFF]["suspended developer"] = NOT_STAFF


def documented(app: App) -> dict[str, set[str]]:
    """The statuses that an operation may answer, by its row; aliases are not documented."""
    return {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}": set(operation["responses"])
        for path, item in document(app)["paths"].items()
        for method, operation in item.items()
    }


DOCUMENTED = {name: documented(app) for name, app in APPS.items()}


def refused_key(function: str, row: str, person: str) -> Answer | None:
    """How a key is turned away that belongs to `person` and has every scope there is."""
    kind = TABLE[function][row]
    if kind in {PUBLIC, CALLBACK, SIGNED, INTERNAL, USER, SIGNED_IN_DEVELOPER, STAFF}:
        return REFUSED[kind].get("rubbish")  # nothing there knows what a key is
    if (function == "marketplace") != (person == "consumer"):
        return UNKNOWN_KEY
    return REFUSED[kind].get(person) if row in SCOPES[function] else NOT_BY_KEY
