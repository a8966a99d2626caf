"""Puts the simulator on a port: data plane, worker protocol, control interface, spoilt media."""

import socket

from aiohttp import web

from infra.local.runpod import media
from infra.local.runpod.control import Control
from infra.local.runpod.data_plane import DataPlane
from infra.local.runpod.simulator import Simulator
from infra.local.runpod.worker_protocol import WorkerProtocol

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes; above every limit of the service, so that the service's own answers are given."""


def build(simulator: Simulator) -> web.Application:
    """The application of one simulator."""
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes(DataPlane(simulator).routes())
    app.add_routes(WorkerProtocol(simulator).routes())
    app.add_routes(Control(simulator).routes())
    app.add_routes(media.routes())
    return app


async def serve(simulator: Simulator, *, host: str, port: int) -> web.AppRunner:
    """Listen on `host` and `port` (0: a free one) and set the simulator's `base_url`."""
    # Cancelling a handler whose client hung up gives a dead worker's turn to the next one.
    runner = web.AppRunner(
        build(simulator), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
    )
    await runner.setup()
    listener = socket.create_server((host, port))
    await web.SockSite(runner, listener, backlog=1024).start()
    simulator.base_url = f"http://{host}:{listener.getsockname()[1]}"
    return runner


async def stop(simulator: Simulator, runner: web.AppRunner) -> None:
    """Close the port and everything in flight."""
    await simulator.clock.close()
    await simulator.webhooks.close()
    await runner.cleanup()
