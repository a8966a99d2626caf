"""`python -m infra.local.storage`: the stand-in as a process."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from infra.local.storage.accounts import write_service_account
from infra.local.storage.server import serve


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if not options.service_account.exists():
        token_uri = f"http://127.0.0.1:{options.port}/token"
        write_service_account(options.service_account, token_uri=token_uri)
    async with serve(
        options.data,
        port=options.port,
        accounts=[options.service_account],
        buckets=options.bucket,
        require_token=options.require_token,
    ) as served:
        print(f"Cloud Storage on {served.url}, trusting {options.service_account}", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8124)
    parser.add_argument("--data", type=Path, required=True, help="directory of the objects")
    parser.add_argument("--bucket", action="append", default=[], help="made if missing")
    parser.add_argument(
        "--service-account", type=Path, required=True, help="key file; written if missing"
    )
    parser.add_argument(
        "--require-token", action="store_true", help="refuse anonymous use of the JSON API"
    )
    asyncio.run(run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
