"""callback: where RunPod's webhooks land. They are unsigned, so the URL is the only credential,
and even a right one only makes us ask RunPod ourselves."""

import uuid

from werkzeug.wrappers import Request, Response

from common import needs
from common.errors import RouteNotFound
from common.executions import service as executions
from common.http import App, Call, JsonObject, Out, Reply
from common.http.health import add_health
from common.http.wire import OpenIn
from common.runtime import runtime

# RunPod echoes input and output: results of 20 MB arrive as bodies of that size (runpod.md 2.4).
WEBHOOK_BYTES = 32 * 1024 * 1024


class Heard(Out):
    """The webhook was dealt with."""

    received: bool


class Webhook(OpenIn):
    """RunPod's job object; of it only `id` is read."""

    id: str | None = None


app = App(
    "callback",
    title="Tarsify callbacks",
    prefixes=("/api/webhooks",),
    settings=lambda: runtime().settings,
    needs=needs.RUNS,
    gate=lambda: runtime().gate,
)
add_health(app, runtime)


@app.route("GET", "/", guard=None)
def root(_call: Call[None, None, None]) -> JsonObject:
    """Says what lives here."""
    return {"message": "Tarsify webhooks", "version": "v1"}


@app.route(
    "POST",
    "/runpod/<attempt>/<token>",
    guard=None,
    body=Webhook,
    out=Heard,
    body_limit=WEBHOOK_BYTES,
    errors=(RouteNotFound,),
    tier="webhook",
)
def runpod(call: Call[None, Webhook, None]) -> Reply:
    """Finalises the execution that a job belongs to; answers 200 to repeats as well."""
    try:
        attempt_id = uuid.UUID(call.path["attempt"])
    except ValueError:
        raise RouteNotFound from None
    if not executions.hear(runtime(), attempt_id, call.path["token"], call.body.id):
        raise RouteNotFound
    return Reply(Heard(received=True))


def callback(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
