"""Consumers who do not give up: each click is repeated with its Idempotency-Key until answered."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from infra.chaos_testing.market import STEADY, Buyer, Market

ANSWER_SECONDS = 30.0
CANCELLING, REPEATING, FETCHING = 0.08, 0.05, 0.1  # shares of the clicks
ENDED = {"COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED"}
REPEATED = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Trouble:
    """A request without a good answer: when (monotonic s), after how many s, and what came."""

    at: float
    took: float
    what: str


@dataclass
class Click:
    """One wish for a run and what its consumer was told. Times are monotonic seconds."""

    key: str
    slug: str
    buyer: Buyer
    clicked_at: float
    accepted: list[str] = field(default_factory=list)  # execution ids, one an acceptance
    start_seconds: float | None = None  # that the first acceptance took, tries before it left out
    ended_at: float | None = None
    status: str = ""
    refusal: str = ""


class Load:
    """Clicks at a steady rate from an event loop in a thread of its own."""

    def __init__(
        self, url: str, market: Market, *, rate: float, seed: int, name: str = "click"
    ) -> None:
        self._url, self._market, self._rate, self._name = url, market, rate, name
        self._random = random.Random(seed)
        self.clicks: list[Click] = []
        self.troubles: list[Trouble] = []
        self.requests = 0
        self._clicking, self._watching = True, True
        self._due = 0.0
        self._people: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop_clicking(self) -> None:
        """No further clicks; those made are still followed to their end."""
        self._clicking = False

    def stop(self) -> None:
        """Nobody watches any more."""
        self._clicking = self._watching = False
        self._thread.join(timeout=ANSWER_SECONDS + 10)

    def unfinished(self) -> list[Click]:
        """Clicks whose consumers still wait for an answer or an end."""
        return [click for click in self.clicks if click.ended_at is None]

    def recovered_at(self, since: float) -> float | None:
        """When the first run that was clicked after `since` was seen to complete as it should."""
        ends = [
            click.ended_at
            for click in reversed(self.clicks)
            if click.slug == STEADY and click.clicked_at >= since
            if click.ended_at is not None and click.status == "COMPLETED"
        ]
        return min(ends, default=None)

    async def _live(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            people, self._due = self._people, time.monotonic()
            while self._clicking:
                click = self._new_click()
                self.clicks.append(click)
                person = asyncio.create_task(_Person(self, session, click).live())
                people.add(person)
                person.add_done_callback(people.discard)
                await self._pause()
            while people and self._watching:
                await asyncio.wait(people, timeout=0.2)
            for person in people:
                person.cancel()
            await asyncio.gather(*people, return_exceptions=True)

    async def _pause(self) -> None:
        """Until the next click is due, however many consumers are still busy."""
        self._due += 1 / self._rate
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))

    def _new_click(self) -> Click:
        number = len(self.clicks)
        steady = number % 2 == 0
        slug = STEADY if steady else self._random.choice(self._market.slugs[1:])
        buyer = self._market.buyers[number % len(self._market.buyers)]
        return Click(f"{self._name}-{number}", slug, buyer, time.monotonic())

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def url(self, path: str) -> str:
        return f"{self._url}/api/marketplace{path}"


class _Person:
    """Lives through one click."""

    def __init__(self, load: Load, session: aiohttp.ClientSession, click: Click) -> None:
        self._load, self._session, self._click = load, session, click
        self._headers = {"Authorization": f"Bearer {click.buyer.token}"}
        self._took = 0.0  # seconds of the last good answer

    async def live(self) -> None:
        """From the click to the end of the run, or to a refusal."""
        # Drawn at once, so that the seed's choices do not depend on who is answered first.
        cancels = self._load.chance(CANCELLING) and self._click.slug != STEADY
        repeats, fetches = self._load.chance(REPEATING), self._load.chance(FETCHING)
        if not await self._start() or (repeats and not await self._start()):
            return
        path = f"/runs/{self._click.accepted[0]}"
        if cancels:
            await asyncio.sleep(0.4)
            await self._until_answered("POST", f"{path}/cancel")
        await self._watch(path)
        if fetches and self._click.status == "COMPLETED":
            await self._fetch(path)

    async def _start(self) -> bool:
        click = self._click
        status, data = await self._until_answered(
            "POST",
            f"/models/{click.slug}/run",
            body={"inputs": {"prompt": click.key}},
            headers={"Idempotency-Key": click.key},
        )
        if status in {200, 201}:
            click.start_seconds = click.start_seconds or self._took
            click.accepted.append(data["data"]["executionId"])
            return True
        click.refusal, click.ended_at = f"{status} {data['error']['code']}", time.monotonic()
        return False

    async def _watch(self, path: str) -> None:
        pause = 0.4
        while self._click.ended_at is None:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 5.0)
            status, data = await self._until_answered("GET", f"{path}/status")
            if status != 200:
                self._click.refusal = f"{status} {data['error']['code']}"
                self._click.ended_at = time.monotonic()
            elif data["data"]["status"] in ENDED:
                self._click.status = data["data"]["status"]
                self._click.ended_at = time.monotonic()

    async def _fetch(self, path: str) -> None:
        """The result's own link, which leads to the storage."""
        status, data = await self._until_answered("GET", path)
        if status == 200:
            url = data["data"]["outputPayload"]["outputs"][0]["url"]
            await self._persist(lambda: self._medium(url))

    async def _medium(self, url: str) -> tuple[int, Any]:
        async with self._session.get(url) as answer:
            content = await answer.read()
            return answer.status, content

    async def _until_answered(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The first answer that is not a passing failure."""

        async def ask() -> tuple[int, Any]:
            async with self._session.request(
                method,
                self._load.url(path),
                json=body,
                headers=self._headers | (headers or {}),
            ) as answer:
                return answer.status, await answer.json()

        return await self._persist(ask)

    async def _persist(self, ask: Callable[[], Awaitable[tuple[int, Any]]]) -> tuple[int, Any]:
        pause = 0.3
        while True:
            began = time.monotonic()
            self._load.requests += 1
            try:
                status, data = await ask()
                if status not in REPEATED:
                    self._took = time.monotonic() - began
                    return status, data
                what = str(status)
            except (aiohttp.ClientError, TimeoutError, OSError) as problem:
                what = type(problem).__name__
            now = time.monotonic()
            self._load.troubles.append(Trouble(now, now - began, what))
            await asyncio.sleep(pause)
            pause = min(pause * 1.6, 3.0)
