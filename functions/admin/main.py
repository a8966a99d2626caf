"""admin: what staff call, under /api/admin."""

from werkzeug.wrappers import Request, Response

from common.http import App
from common.http.health import add_health
from common.runtime import runtime
from functions.admin.base_models import routes as base_model_routes
from functions.admin.credits import routes as credit_routes
from functions.admin.endpoints import routes as endpoint_routes

app = App(
    "admin",
    title="Tarsify administration",
    prefixes=("/api/admin",),
    settings=lambda: runtime().settings,
)
add_health(app, runtime)
app.include(endpoint_routes)
app.include(base_model_routes)
app.include(credit_routes)


def admin(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
