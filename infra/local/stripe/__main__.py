"""`python -m infra.local.stripe`: the stand-in as a process."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from infra.local.stripe.app import serve
from infra.local.stripe.client import StripeControl


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(
        key=options.key,
        host=options.host,
        port=options.port,
        public_url=options.public_url,
        data=options.data,
    ) as served:
        await asyncio.to_thread(register, options, served.url)
        print(f"Stripe on {served.url}", flush=True)
        await stop.wait()


def register(options: argparse.Namespace, url: str) -> None:
    """The receivers of the command line, unless an earlier process left them in the data."""
    control = StripeControl(url, key=options.key)
    known = {(each["url"], each["connect"]): each["id"] for each in control.receivers()}
    own, connected = (options.receiver, options.secret), (options.connect, options.connect_secret)
    for (target, secrets), connect in ((own, False), (connected, True)):
        if target and (name := known.get((target, connect))):
            control.change_secrets(name, secrets)
        elif target:
            control.add_receiver(target, secrets=secrets, connect=connect)
    control.close()


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; secrets may come from the environment instead."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.stripe", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8125, help="0 picks a free one")
    parser.add_argument(
        "--key", default=os.environ.get("STRIPE_SECRET_KEY"), help="or STRIPE_SECRET_KEY"
    )
    parser.add_argument("--public-url", help="where a browser finds the pages")
    parser.add_argument("--data", type=Path, help="SQLite file that survives a kill")
    parser.add_argument("--receiver", help="URL of the platform's own events")
    parser.add_argument(
        "--secret", action="append", default=[], help="repeatable; or STRIPE_WEBHOOK_SECRET"
    )
    parser.add_argument("--connect", help="URL of the connected accounts' events")
    parser.add_argument(
        "--connect-secret", action="append", default=[], help="or STRIPE_CONNECT_WEBHOOK_SECRET"
    )
    options = parser.parse_args(arguments)
    options.secret = options.secret or _secrets("STRIPE_WEBHOOK_SECRET")
    options.connect_secret = options.connect_secret or _secrets("STRIPE_CONNECT_WEBHOOK_SECRET")
    _check(parser, options)
    return options


def _secrets(name: str) -> list[str]:
    return [each.strip() for each in os.environ.get(name, "").split(",") if each.strip()]


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if not (options.key or "").startswith("sk_test_"):
        parser.error("--key must begin with sk_test_")
    if options.receiver and not options.secret:
        parser.error("--receiver needs a --secret")
    if options.connect and not options.connect_secret:
        parser.error("--connect needs a --connect-secret")


if __name__ == "__main__":
    asyncio.run(run(parse_arguments()))
