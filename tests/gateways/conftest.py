"""Fixtures of the gateway tests."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.gateways.origin import Origin, Seen


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients of these tests hang up on purpose; that is no news."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A running server that answers 200 with nothing until told otherwise."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            served.seen.append(Seen(self.command, self.path, headers, self.rfile.read(length)))
            served.answer(self)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Keeps the test output clean."""

    server = _Server(("127.0.0.1", 0), Handler)
    served = Origin(server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()
