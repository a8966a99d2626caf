"""payments: where Stripe's webhooks land. Their signature over the exact bytes is the credential;
without a secret to check it nothing is accepted."""

from werkzeug.wrappers import Request, Response

from common import needs
from common.errors import BadSignature, BodyTooLarge, PaymentsUnavailable
from common.http import App, Call, JsonObject, Out
from common.http.health import add_health
from common.http.parsing import read_bytes
from common.payments import service as money
from common.runtime import runtime

EVENT_BYTES = 1024 * 1024


class Heard(Out):
    """The event was dealt with, and how."""

    received: bool
    effect: str


app = App(
    "payments",
    title="Tarsify payments",
    prefixes=("/api/webhooks/stripe",),
    settings=lambda: runtime().settings,
    needs=needs.STRIPE + needs.STRIPE_EVENTS,
    gate=lambda: runtime().gate,
)
add_health(app, runtime)


@app.route("GET", "/", guard=None)
def root(_call: Call[None, None, None]) -> JsonObject:
    """Says what lives here."""
    return {"message": "Tarsify payments", "version": "v1"}


@app.route(
    "POST",
    "/",
    guard=None,
    out=Heard,
    errors=(BadSignature, BodyTooLarge, PaymentsUnavailable),
    tier="webhook",
)
def stripe(call: Call[None, None, None]) -> Heard:
    """Hears an event of our own Stripe account; repeats of it change nothing."""
    effect = money.hear(runtime(), _bytes(call), call.header("Stripe-Signature"))
    return Heard(received=True, effect=effect)


@app.route(
    "POST",
    "/connect",
    guard=None,
    out=Heard,
    errors=(BadSignature, BodyTooLarge, PaymentsUnavailable),
    tier="webhook",
)
def connect(call: Call[None, None, None]) -> Heard:
    """Hears an event of a developer's connected account."""
    effect = money.hear_connect(runtime(), _bytes(call), call.header("Stripe-Signature"))
    return Heard(received=True, effect=effect)


def _bytes(call: Call[None, None, None]) -> bytes:
    """The body exactly as it came: it is what was signed. Raises BodyTooLarge."""
    return read_bytes(call.request, EVENT_BYTES)


def payments(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
