"""`python -m infra.local.tasks`: the stand-in as a process."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from infra.local.tasks import protos
from infra.local.tasks.protos import Message
from infra.local.tasks.server import serve

DURATIONS = {"max_retry_duration", "min_backoff", "max_backoff"}
COUNTS = {"max_attempts", "max_doublings"}
RATES = {"max_concurrent_dispatches": int, "max_dispatches_per_second": float}


def queue_of(text: str) -> Message:
    """A queue from `projects/P/locations/L/queues/Q[,setting=value...]`; durations in seconds."""
    name, *settings = text.split(",")
    queue = protos.Queue(name=name)
    for setting in settings:
        key, _, value = setting.partition("=")
        if key in DURATIONS:
            protos.put_seconds(getattr(queue.retry_config, key), float(value))
        elif key in COUNTS:
            setattr(queue.retry_config, key, int(value))
        elif key in RATES:
            setattr(queue.rate_limits, key, RATES[key](value))
        else:
            raise argparse.ArgumentTypeError(f"unknown queue setting: {key}")
    return queue


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(
        queues=options.queue,
        port=options.port,
        certs_port=options.certs_port,
        journal=options.journal,
    ) as served:
        print(f"Cloud Tasks on {served.target}, certificates on {served.certs_url}", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8123, help="gRPC; 0 picks a free one")
    parser.add_argument("--certs-port", type=int, default=0, help="HTTP; the public keys")
    parser.add_argument("--journal", type=Path, help="SQLite file that survives a kill")
    parser.add_argument(
        "--queue", action="append", default=[], type=queue_of, help=queue_of.__doc__
    )
    asyncio.run(run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
