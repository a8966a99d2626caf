"""A real HTTP server on a free loopback port whose answers a test writes down."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Origin:
    """Answers each request with `answer(handler)`, and remembers what it saw."""

    server: HTTPServer
    seen: list[Seen] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: reply(handler, b"")

    @property
    def port(self) -> int:
        return self.server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def secure(self, context: ssl.SSLContext) -> None:
        """Speaks TLS from now on; a handshake that fails is the client's affair."""
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )

    def always(self, content: bytes, *, status: int = 200, **headers: str) -> None:
        self.answer = lambda handler: reply(handler, content, status=status, **headers)


def reply(
    handler: BaseHTTPRequestHandler, content: bytes, *, status: int = 200, **headers: str
) -> None:
    """A complete answer; header names are written with underscores."""
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients of these tests hang up on purpose; that is no news."""


@contextmanager
def running_origin() -> Iterator[Origin]:
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
