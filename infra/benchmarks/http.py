"""The cheapest HTTP client that is still one: a kept-open connection, one request at a time.

A load generator shares the cores with what it measures, so every microsecond here is stolen
from the result: a request is prepared bytes, an answer is read by its Content-Length.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
ANSWER_SECONDS = 30.0


def prepared(
    method: str,
    path: str,
    *,
    token: str | None = None,
    body: Any = None,
    close: bool = False,
    headers: dict[str, str] | None = None,
) -> bytes:
    """A request as bytes."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection(asyncio.Protocol):
    """One connection; `ask` sends prepared bytes and answers (status, body)."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._buffer = b""
        self._needed = 0
        self._body_at = 0

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connects to a loopback port; raises OSError."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return protocol

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Raises ConnectionError when the server hangs up instead of answering."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._buffer, self._needed = b"", 0
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._buffer, 0, end)
            self._body_at = end + 4
            self._needed = self._body_at + (int(length[1]) if length else 0)
        if len(self._buffer) >= self._needed and self._answer is not None:
            answer, self._answer = self._answer, None
            answer.set_result((int(self._buffer[9:12]), self._buffer[self._body_at :]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(str(exc or "hung up")))
