"""studio: what developers call. Older clients know it as /api/developer."""

from werkzeug.wrappers import Request, Response

from common import needs
from common.http import App, Call, JsonObject
from common.http.health import add_health
from common.runtime import runtime
from functions.studio import account, earnings, hooks, keys, leaving, models, test_runs
from functions.studio.examples import EXAMPLES

app = App(
    "studio",
    title="Tarsify studio",
    prefixes=("/api/studio", "/api/developer"),
    settings=lambda: runtime().settings,
    needs=needs.DEVELOPERS + needs.RUNS + needs.STRIPE + ("studio_url",),
    gate=lambda: runtime().gate,
    examples=EXAMPLES,
)
add_health(app, runtime)
for each in (account, keys, leaving, earnings, models, test_runs, hooks):
    app.include(each.routes)


@app.route("GET", "/", guard=None)
def root(_call: Call[None, None, None]) -> JsonObject:
    """Says what lives here."""
    return {
        "message": "Tarsify studio",
        "version": "v1",
        "endpoints": {"auth": "/auth", "tarsModels": "/tars-models", "earnings": "/earnings"},
    }


def studio(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
