"""A real HTTP server on a free loopback port whose answers a test writes down."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer


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
