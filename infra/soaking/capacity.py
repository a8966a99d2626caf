"""How many starts per second this platform bears, with all that follows from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from infra.chaos_testing.checks import Books
from infra.chaos_testing.clients import Click, Load
from infra.chaos_testing.course import await_ends
from infra.chaos_testing.market import Market

BUSY = 240  # consumers at once: a run is seen to end after a second, so enough for 240 a second
SETTLING_SHARE = 1 / 3
LOOK_SECONDS = 0.005


class Rush(Load):
    """Consumers who click again as soon as one of them has seen the end of a run."""

    async def _pause(self) -> None:
        await asyncio.sleep(0)
        while len(self._people) >= BUSY and self._clicking:
            await asyncio.sleep(LOOK_SECONDS)


def measure_capacity(
    url: str, market: Market, books: Books, *, seconds: float, tell: Callable[[str], None]
) -> tuple[float, list[Click]]:
    """Runs per second from click to a seen end, without faults; and the clicks that were made."""
    rush = Rush(url, market, rate=0, seed=0, name="rush")
    tell("measuring the capacity")
    rush.start()
    try:
        time.sleep(seconds * SETTLING_SHARE)
        since = time.monotonic()
        time.sleep(seconds * (1 - SETTLING_SHARE))
        until = time.monotonic()
        ended = sum(since <= (click.ended_at or 0) < until for click in rush.clicks)
        await_ends(rush, books, tell)
    finally:
        rush.stop()
    return ended / (until - since), rush.clicks
