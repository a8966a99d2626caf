"""admin: what staff call, under /api/admin."""

from werkzeug.wrappers import Request, Response

from common import needs
from common.http import App
from common.http.health import add_health
from common.runtime import runtime
from functions.admin import (
    base_models,
    endpoints,
    gpu_prices,
    grants,
    invariants,
    moderation,
    money,
)
from functions.admin.examples import EXAMPLES

app = App(
    "admin",
    title="Tarsify administration",
    prefixes=("/api/admin",),
    settings=lambda: runtime().settings,
    needs=needs.DEVELOPERS + needs.STRIPE,
    gate=lambda: runtime().gate,
    examples=EXAMPLES,
)
add_health(app, runtime)
for each in (endpoints, base_models, gpu_prices, grants, invariants, moderation, money):
    app.include(each.routes)


def admin(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
