"""marketplace: what consumers call. Browse, run, runs, credits, account."""

from werkzeug.wrappers import Request, Response

from common import needs
from common.http import App, Call, JsonObject
from common.http.health import add_health
from common.runtime import runtime
from functions.marketplace import (
    account,
    hooks,
    keys,
    leaving,
    manual,
    models,
    reports,
    runs,
    uploads,
    wallet,
)
from functions.marketplace.examples import EXAMPLES

app = App(
    "marketplace",
    title="Tarsify marketplace",
    prefixes=("/api/marketplace", "/api/consumer", "/api/public"),
    settings=lambda: runtime().settings,
    needs=needs.CONSUMERS + needs.RUNS + needs.UPLOADS + needs.STRIPE + ("market_url",),
    gate=lambda: runtime().gate,
    examples=EXAMPLES,
)
add_health(app, runtime)


@app.route("GET", "/", guard=None)
def root(_call: Call[None, None, None]) -> JsonObject:
    """Says what lives here."""
    endpoints = {"auth": "/auth", "models": "/models", "runs": "/runs", "credits": "/credits"}
    return {"message": "Tarsify marketplace", "version": "v1", "endpoints": endpoints}


for each in (manual, account, keys, leaving, wallet, models, reports, uploads, runs, hooks):
    app.include(each.routes)


def marketplace(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
