"""`python -m infra.local.identity`: the emulator as a process."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from infra.local.identity.server import serve


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(port=options.port, data=options.data) as served:
        print(f"Identity on {served.host}", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9099)
    parser.add_argument("--data", type=Path, help="SQLite file of the accounts")
    asyncio.run(run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
