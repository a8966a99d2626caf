"""A receiver of webhooks, as its owner would write one, and what it was told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response


@dataclass
class Told:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass
class Receiver:
    """Answers `status`, and remembers everything that it was told."""

    url: str = ""
    status: int = 200
    told: list[Told] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.url.rpartition("/")[0]

    def types(self) -> list[str]:
        return [str(each.event["type"]) for each in self.told]

    def __call__(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.told.append(Told(headers, request.get_data()))
        return Response("thanks", self.status, headers=self.answers)


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """A receiver on a free loopback port."""
    receiver = Receiver()
    server = make_server("127.0.0.1", 0, Request.application(receiver), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
