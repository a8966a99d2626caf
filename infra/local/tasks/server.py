"""The whole stand-in in one event loop: gRPC, the broker, and the keys that verify its tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from aiohttp import web

from infra.local.signing import SigningKey
from infra.local.tasks import protos, rpc
from infra.local.tasks.broker import Broker
from infra.local.tasks.delivery import Courier
from infra.local.tasks.journal import Journal
from infra.local.tasks.protos import Message

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Served:
    """Where it listens, and its broker (to be used in its own event loop only)."""

    target: str
    certs_url: str
    broker: Broker


@asynccontextmanager
async def serve(
    *,
    queues: Sequence[str | Message] = (),
    port: int = 0,
    certs_port: int = 0,
    journal: Path | None = None,
    manual: bool = False,
) -> AsyncIterator[Served]:
    """Serve until the context ends.

    `queues` (full names, or Queue messages with their settings) are made unless the journal has
    them. Raises OSError when a port is taken.
    """
    key, book = SigningKey(), Journal(journal)
    courier = Courier(key)
    broker = Broker(book, courier, manual=manual)
    for queue in queues:
        message = protos.Queue(name=queue) if isinstance(queue, str) else queue
        if message.name not in broker.lanes:
            broker.create_queue(message)
    runner, certs_url = await _serve_keys(key, certs_port)
    server, bound = await _serve_grpc(broker, port)
    try:
        yield Served(target=f"{HOST}:{bound}", certs_url=certs_url, broker=broker)
    finally:
        await server.stop(grace=0)
        await runner.cleanup()
        await broker.close()
        await courier.close()
        book.close()


async def _serve_grpc(broker: Broker, port: int) -> tuple[grpc.aio.Server, int]:
    # Without so_reuseport=0 a second server on the port would silently share its calls.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((rpc.handler(broker),))
    try:
        bound = server.add_insecure_port(f"{HOST}:{port}")
    except RuntimeError as problem:
        raise OSError(f"cannot listen on {HOST}:{port}") from problem
    await server.start()
    return server, bound


async def _serve_keys(key: SigningKey, port: int) -> tuple[web.AppRunner, str]:
    async def keys(request: web.Request) -> web.Response:
        del request
        return web.json_response(key.jwks(), headers={"Cache-Control": "max-age=60"})

    async def certificates(request: web.Request) -> web.Response:
        del request
        return web.json_response(key.certificates(), headers={"Cache-Control": "max-age=60"})

    app = web.Application()
    app.router.add_get("/oauth2/v3/certs", keys)
    app.router.add_get("/oauth2/v1/certs", certificates)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, port)
    await site.start()
    return runner, f"http://{HOST}:{runner.addresses[0][1]}/oauth2/v1/certs"
