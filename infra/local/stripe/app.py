"""Puts the stand-in on a port: the API, the pages, the control interface."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from infra.local.stripe.api import Api
from infra.local.stripe.control import Control
from infra.local.stripe.pages import Pages
from infra.local.stripe.resources import Resources
from infra.local.stripe.simulator import Simulator

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Served:
    """Where it listens: `base_addresses={"api": url}` of the SDK."""

    url: str


@asynccontextmanager
async def serve(
    *,
    key: str,
    port: int = 0,
    host: str = HOST,
    public_url: str | None = None,
    manual_clock: bool = False,
    data: Path | None = None,
) -> AsyncIterator[Served]:
    """Serve until the context ends; without `data` (a file) everything is forgotten then.

    `public_url` is where a browser finds the pages; a manual clock moves when it is told to.
    """
    simulator = Simulator(key=key, manual_clock=manual_clock, data=data)
    resources = Resources(simulator)
    runner = web.AppRunner(build(simulator, resources), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    listener = socket.create_server((host, port))
    simulator.base_url = f"http://{host}:{listener.getsockname()[1]}"
    simulator.public_url = public_url or simulator.base_url
    await web.SockSite(runner, listener, backlog=1024).start()
    resources.resume()
    try:
        yield Served(simulator.base_url)
    finally:
        await simulator.clock.close()
        await simulator.deliveries.close()
        await runner.cleanup()
        simulator.store.close()


def build(simulator: Simulator, resources: Resources) -> web.Application:
    """The application of one stand-in."""
    app = web.Application()
    app.add_routes(Control(simulator, resources).routes())
    app.add_routes(Pages(simulator, resources.checkout, resources.onboarding).routes())
    api = Api(simulator, resources.routes(), include=resources.include)
    app.add_routes(api.web_routes())
    return app
