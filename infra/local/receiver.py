"""Somebody's receiver of webhooks, for whoever tries ours on this machine.

POST anywhere is taken and remembered; GET anywhere lists what came, the newest last.
"""

from __future__ import annotations

import argparse
import json
from collections import deque
from typing import Any

from aiohttp import web

HOST = "127.0.0.1"
REMEMBERED = 100
MOST_BYTES = 64 * 1024


class Receiver:
    """Remembers the last hundred requests."""

    def __init__(self) -> None:
        self._came: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)

    async def take(self, request: web.Request) -> web.Response:
        """204, as a receiver that has nothing to say."""
        headers = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower().startswith("webhook-")
        }
        self._came.append({"headers": headers, "body": json.loads(await request.read())})
        return web.Response(status=204)

    async def show(self, _request: web.Request) -> web.Response:
        """What came."""
        return web.json_response(list(self._came))


def application() -> web.Application:
    """The receiver on every path."""
    receiver = Receiver()
    app = web.Application(client_max_size=MOST_BYTES)
    app.router.add_post("/{path:.*}", receiver.take)
    app.router.add_get("/{path:.*}", receiver.show)
    return app


def main() -> None:
    """`python -m infra.local.receiver --port N`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    web.run_app(application(), host=HOST, port=options.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
