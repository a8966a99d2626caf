"""admin: what staff call, under /api/admin."""

from werkzeug.wrappers import Request, Response

from common.http import App
from common.http.health import add_health
from common.runtime import runtime
from functions.admin import base_models, endpoints, grants

app = App(
    "admin",
    title="Tarsify administration",
    prefixes=("/api/admin",),
    settings=lambda: runtime().settings,
)
add_health(app, runtime)
for routes in (endpoints.routes, base_models.routes, grants.routes):
    app.include(routes)


def admin(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
