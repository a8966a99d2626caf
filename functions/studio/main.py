"""studio: what developers call. Answers under /api/studio and, for older clients, /api/developer."""

from werkzeug.wrappers import Request, Response

from common.http import App, Call, JsonObject
from common.http.health import add_health
from common.runtime import runtime
from functions.studio.account import routes as account_routes
from functions.studio.models import routes as model_routes

app = App(
    "studio",
    title="Tarsify studio",
    prefixes=("/api/studio", "/api/developer"),
    settings=lambda: runtime().settings,
)
add_health(app, runtime)
app.include(account_routes)
app.include(model_routes)


@app.route("GET", "/", guard=None)
def root(_call: Call[None, None, None]) -> JsonObject:
    """Says what lives here."""
    return {
        "message": "Tarsify studio",
        "version": "v1",
        "endpoints": {"auth": "/auth", "tarsModels": "/tars-models"},
    }


def studio(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
