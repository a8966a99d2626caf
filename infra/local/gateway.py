"""The local front door: one origin for every function and the web pages.

It does what the cloud's load balancer does: choose by path, add the forwarding headers, pass
bodies on as they come.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import secrets
import signal
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import unquote

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from infra.local.front_door import FrontDoor
from infra.local.threaded import in_thread

HOST = "127.0.0.1"
LARGEST_BODY = 32 * 1024 * 1024
SMALL = 64 * 1024
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 600.0
# Less than gunicorn's 2 s: the function must never be the one to close a connection first, as a
# request already under way on it would be lost.
KEEP_ALIVE_SECONDS = 1.0
HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
# The client library would add these of its own accord.
NOT_OURS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
TRACE = re.compile(r"[0-9a-f]{32}(/\d+)?(;o=[01])?")


class BodyTooLarge(Exception):
    """More than the front door lets through."""


class Gateway:
    """Passes requests on to the functions; `functions` are base URLs by name."""

    def __init__(
        self, table: FrontDoor, functions: Mapping[str, str], pages: Path | None = None
    ) -> None:
        private = table.internal & set(functions)
        if private:
            raise ValueError(f"internal functions stay behind the front door: {sorted(private)}")
        self._table = table
        self._functions = {name: url.rstrip("/") for name, url in functions.items()}
        self._pages = pages.resolve() if pages and pages.is_dir() else None
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            skip_auto_headers=NOT_OURS,
        )

    async def close(self) -> None:
        """Close the connections to the functions."""
        await self._http.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Every request."""
        path = request.raw_path.partition("?")[0]
        name = self._table.function_for(path)
        if name is None:
            return self._page(request, path)
        try:
            return await self._pass_on(request, self._base_of(name))
        except BodyTooLarge:
            return _too_large()
        except TimeoutError:
            return _failure(504, "GATEWAY_TIMEOUT", "The service took too long to answer.")
        except aiohttp.ClientError as problem:
            # The client library wraps what a body's iterator raises.
            cut = isinstance(problem.__cause__, BodyTooLarge)
            return _too_large() if cut else _unavailable()

    def _base_of(self, name: str) -> str:
        if name not in self._functions:
            raise aiohttp.ClientConnectionError(f"no address for {name}")
        return self._functions[name]

    async def _pass_on(self, request: web.Request, base: str) -> web.StreamResponse:
        async with self._http.request(
            request.method,
            URL(base + request.raw_path, encoded=True),
            headers=_forwarded(request),
            data=await _body(request),
            allow_redirects=False,
        ) as answer:
            headers = _end_to_end(answer.headers)
            length = answer.content_length
            if length is not None and length <= SMALL:
                return web.Response(status=answer.status, headers=headers, body=await answer.read())
            return await _stream(request, answer, headers)

    def _page(self, request: web.Request, path: str) -> web.StreamResponse:
        """A file of the web pages, or the 404 that any unknown path gets."""
        if self._pages is not None and request.method in {"GET", "HEAD"}:
            file = (self._pages / unquote(path).lstrip("/")).resolve()
            if file.is_dir() and file.is_relative_to(self._pages):
                if not path.endswith("/"):
                    return web.Response(status=301, headers={"Location": f"{path}/"})
                file = file / "index.html"
            if file.is_file() and file.is_relative_to(self._pages):
                return web.FileResponse(file, headers={"Cache-Control": "no-cache"})
        message = f"Route {request.method} {request.raw_path} not found"
        return _failure(404, "ROUTE_NOT_FOUND", message, retryable=False)


async def _body(request: web.Request) -> bytes | AsyncIterator[bytes] | None:
    if not request.can_read_body:
        return None
    if (request.content_length or 0) > LARGEST_BODY:
        raise BodyTooLarge
    if request.content_length is not None and request.content_length <= SMALL:
        return await request.content.read(-1)
    return _limited(request)


async def _limited(request: web.Request) -> AsyncIterator[bytes]:
    passed = 0
    async for chunk in request.content.iter_any():
        passed += len(chunk)
        if passed > LARGEST_BODY:
            raise BodyTooLarge
        yield chunk


async def _stream(
    request: web.Request, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, TimeoutError):
        # Part of the answer is out, so no other can be sent: the client must see it break off.
        if request.transport is not None:
            request.transport.abort()
    return response


def _forwarded(request: web.Request) -> CIMultiDict[str]:
    """The client's headers, with what the load balancer adds (client, then balancer)."""
    headers = _end_to_end(request.headers)
    earlier = headers.get("X-Forwarded-For")
    hops = ", ".join(filter(None, [earlier, request.remote or "", HOST]))
    headers["X-Forwarded-For"] = hops
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = request.host
    if not TRACE.fullmatch(headers.get("X-Cloud-Trace-Context", "")):
        span = secrets.randbelow(2**63)
        headers["X-Cloud-Trace-Context"] = f"{secrets.token_hex(16)}/{span};o=1"
    return headers


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP
    )


def _unavailable() -> web.Response:
    return _failure(503, "SERVICE_UNAVAILABLE", "The service is not available at the moment.")


def _too_large() -> web.Response:
    limit = LARGEST_BODY // 1024**2
    message = f"The request body is larger than {limit} MB."
    return _failure(413, "BODY_TOO_LARGE", message, retryable=False)


def _failure(status: int, code: str, message: str, *, retryable: bool = True) -> web.Response:
    error = {
        "code": code,
        "message": message,
        "requestId": str(uuid.uuid4()),
        "retryable": retryable,
    }
    return web.json_response({"success": False, "error": error}, status=status)


@asynccontextmanager
async def serve(
    functions: Mapping[str, str],
    *,
    port: int = 0,
    pages: Path | None = None,
    table: FrontDoor | None = None,
) -> AsyncIterator[str]:
    """Serve until the context ends; yields the origin. Raises OSError when the port is taken."""
    gateway = Gateway(table or FrontDoor.read(), functions, pages)
    server = web.Server(gateway.answer)  # type: ignore[arg-type]
    runner = web.ServerRunner(server, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port, backlog=1024).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await gateway.close()


@contextmanager
def running_gateway(
    functions: Mapping[str, str], *, pages: Path | None = None, table: FrontDoor | None = None
) -> Iterator[str]:
    """Run the gateway in a thread of its own; yields the origin."""
    with in_thread(lambda: serve(functions, pages=pages, table=table)) as (origin, _):
        yield origin


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    functions = dict(options.function)
    async with serve(functions, port=options.port, pages=options.pages) as origin:
        print(f"Front door on {origin}", flush=True)
        await stop.wait()


def _named(text: str) -> tuple[str, str]:
    name, found, url = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError("give NAME=URL")
    return name, url


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--function", action="append", default=[], type=_named, metavar="NAME=URL")
    parser.add_argument("--pages", type=Path, default=Path(__file__).parents[2] / "web")
    asyncio.run(run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
