"""A webhook receiver: the exact bytes it was sent, and the answers it was told to give."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import stripe


@dataclass
class Delivery:
    payload: bytes
    headers: dict[str, str]

    @property
    def body(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.payload)
        return event

    @property
    def type(self) -> str:
        return str(self.body["type"])

    def verified(self, secret: str) -> stripe.Event:
        """What the SDK makes of it; raises what the SDK raises for a wrong signature."""
        return stripe.Webhook.construct_event(  # type: ignore[no-any-return]
            self.payload, self.headers["stripe-signature"], secret
        )


@dataclass
class Receiver:
    port: int
    deliveries: list[Delivery] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses to answer with, in turn; 200 when used up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def types(self) -> list[str]:
        return [delivery.type for delivery in self.deliveries]

    def wait_for(self, count: int, *, seconds: float = 5.0) -> list[Delivery]:
        deadline = time.monotonic() + seconds
        while len(self.deliveries) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(self.deliveries) >= count, self.types
        return self.deliveries

    def wait_for_type(self, event_type: str, *, seconds: float = 5.0) -> Delivery:
        deadline = time.monotonic() + seconds
        while event_type not in self.types and time.monotonic() < deadline:
            time.sleep(0.005)
        return next(each for each in self.deliveries if each.type == event_type)


@contextlib.contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver(port=0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.deliveries.append(Delivery(payload, headers))
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
