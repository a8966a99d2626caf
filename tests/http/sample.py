"""A small function of our own, to see the HTTP layer without a product behind it."""

from datetime import UTC, datetime
from typing import Any

from werkzeug.test import Client
from werkzeug.wrappers import Request

from common.errors import Forbidden, ModelNotFound, Unauthorized
from common.http import App, Call, In, JsonObject, Out, Page, Paging, Reply, Timestamp
from common.http.wire import OpenIn
from common.settings import Settings

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_912, UTC)
LIMIT = 1000


class Echo(In):
    """What the sample is told."""

    text: str = ""
    amount: float = 0
    anything: Any = None


class Told(Out):
    """What the sample answers."""

    text: str
    amount: float
    anything: Any


class Hint(OpenIn):
    """A vendor's body."""

    job_id: str | None = None


class Moment(Out):
    """A moment."""

    seen_at: Timestamp


def make_sample(**settings: Any) -> App:
    """The sample with these settings."""
    configured = Settings(log_level="INFO", **settings)
    app = App(
        "sample",
        title="Sample",
        prefixes=("/api/sample", "/api/older"),
        settings=lambda: configured,
    )

    def guard(call: Call[Any, Any, Any]) -> str:
        match call.header("Authorization"):
            case None:
                raise Unauthorized
            case "Bearer banned":
                raise Forbidden
            case header:
                return header

    @app.route("POST", "/echo", guard=guard, body=Echo, out=Told, body_limit=LIMIT)
    def echo(call: Call[str, Echo, None]) -> Told:
        """Says it again."""
        return Told(text=call.body.text, amount=call.body.amount, anything=call.body.anything)

    @app.route("POST", "/hint", guard=None, body=Hint, out=Hint)
    def hint(call: Call[None, Hint, None]) -> JsonObject:
        """Reads a vendor's body."""
        return {"jobId": call.body.job_id}

    @app.route("GET", "/moments", guard=None, query=Paging, out=Page[Moment], aliases=("/times",))
    def moments(call: Call[None, None, Paging]) -> Page[Moment]:
        """Lists moments."""
        return Page([Moment(seen_at=MOMENT)], 21, call.query)

    @app.route("GET", "/things/<name>", guard=None, errors=(ModelNotFound,))
    def thing(call: Call[None, None, None]) -> Reply:
        """Shows a thing."""
        return Reply({"name": call.path["name"], "key": call.header("Idempotency-Key")})

    @app.route("DELETE", "/things/<name>", guard=None, status=204)
    def remove(_call: Call[None, None, None]) -> None:
        """Removes a thing."""

    @app.route("GET", "/secrets/<token>", guard=None)
    def fail(call: Call[None, None, None]) -> JsonObject:
        """Fails."""
        raise RuntimeError(f"vendor said no to {call.path['token']}")

    return app


def client_of(app: App) -> Client:
    """A client that talks to the function as a WSGI server would."""
    return Client(lambda environ, start: app(Request(environ))(environ, start))
