"""Webhooks: each event to each receiver that wants it, signed, again until it is taken."""

from __future__ import annotations

import json
import random
from collections import deque
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import aiohttp

from infra.local.runpod.clock import Clock
from infra.local.stripe.ids import new_id
from infra.local.stripe.signatures import signature
from infra.local.stripe.store import Store

JSON = dict[str, Any]
RECEIVER = "_receiver"
DELIVERY = "_delivery"
RECEIVER_TIMEOUT_SECONDS = 20.0
"""Real seconds."""
LONGEST_WAIT_SECONDS = 6 * 3600.0
GIVE_UP_SECONDS = 3 * 24 * 3600.0
"""Stripe goes on for up to three days (docs: webhooks, automatic retries)."""


@dataclass
class Attempt:
    """One call of a receiver: `status` None means that no answer came, and `problem` says why."""

    event: str
    type: str
    receiver: str
    at: float
    status: int | None = None
    problem: str = ""


@dataclass
class Interference:
    """What is done to deliveries: all held back, or the next ones of a type dropped or doubled."""

    holding: bool = False
    drop: dict[str, int] = field(default_factory=dict)
    duplicate: dict[str, int] = field(default_factory=dict)


class Deliveries:
    """Receivers, and what is still to be brought to them; times are the stand-in's own."""

    def __init__(self, clock: Clock, store: Store, *, platform: str) -> None:
        self._clock = clock
        self._store = store
        self._platform = platform
        self._session: aiohttp.ClientSession | None = None
        self.interference = Interference()
        self.first_wait_seconds = 5.0
        self.log: deque[Attempt] = deque(maxlen=2000)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def resume(self) -> None:
        """Take up what an earlier process left undone."""
        for delivery in self._all():
            if not delivery["held"]:
                self._schedule(delivery["id"], delivery["due"] - self._clock.now())

    def add_receiver(
        self, url: str, secrets: list[str], *, connect: bool, events: list[str]
    ) -> str:
        """Register `url` for the platform's own events, or with `connect` for its accounts'."""
        receiver = {
            "object": RECEIVER,
            "id": new_id("we"),
            "url": url,
            "secrets": secrets,
            "connect": connect,
            "events": events,
        }
        self._store.add(receiver, owner=self._platform)
        return str(receiver["id"])

    def receivers(self) -> list[JSON]:
        """Every receiver."""
        return self._store.every(RECEIVER, owner=self._platform)

    def receiver(self, name: str) -> JSON:
        """The receiver, to change.

        Raises:
            ValueError: no such receiver.
        """
        found = self._store.find(RECEIVER, name, owner=self._platform)
        if found is None:
            raise ValueError(f"no receiver {name}")
        return found

    def remove_receiver(self, name: str) -> None:
        """Nothing more is brought there."""
        self._store.remove(RECEIVER, name, owner=self._platform)

    def dispatch(self, event: JSON, *, owner: str) -> None:
        """Bring a new event to everybody who wants it."""
        wanted = [each for each in self.receivers() if _wants(each, event)]
        event["pending_webhooks"] = len(wanted)
        for receiver in wanted:
            self._begin(event, receiver, owner=owner)

    def resend(self, event: JSON, *, owner: str) -> int:
        """Bring an old event once more, even while others are held; the number of receivers."""
        wanted = [each for each in self.receivers() if _wants(each, event)]
        for receiver in wanted:
            self._schedule(self._add(event, receiver, owner=owner, held=False)["id"], 0)
        return len(wanted)

    def held(self) -> list[JSON]:
        """What is held back: ids of event and receiver, and the event's type, oldest first."""
        return [delivery for delivery in self._all() if delivery["held"]]

    def release(self, *, shuffle_seed: int | None = None) -> int:
        """Hold nothing back any more; what was held goes out one after the other."""
        self.interference.holding = False
        held = [delivery["id"] for delivery in self.held()]
        if shuffle_seed is not None:
            random.Random(shuffle_seed).shuffle(held)
        for name in held:
            self._delivery(name)["held"] = False
        if held:
            self._clock.spawn(self._attempt_in_turn(held))
        return len(held)

    def drop_held(self, events: list[str] | None = None) -> int:
        """Lose what is held back, or only these events (by id); the number lost."""
        lost = [each for each in self.held() if events is None or each["event"] in events]
        for delivery in lost:
            self._store.remove(DELIVERY, delivery["id"], owner=self._platform)
        return len(lost)

    def _begin(self, event: JSON, receiver: JSON, *, owner: str) -> None:
        if _used(self.interference.drop, event["type"]):
            return
        copies = 2 if _used(self.interference.duplicate, event["type"]) else 1
        for _ in range(copies):
            held = self.interference.holding
            delivery = self._add(event, receiver, owner=owner, held=held)
            if not held:
                self._schedule(delivery["id"], 0)

    def _add(self, event: JSON, receiver: JSON, *, owner: str, held: bool) -> JSON:
        now = self._clock.now()
        delivery = {
            "object": DELIVERY,
            "id": new_id("dl"),
            "event": event["id"],
            "type": event["type"],
            "owner": owner,
            "receiver": receiver["id"],
            "made": now,
            "due": now,
            "attempts": 0,
            "held": held,
        }
        return self._store.add(delivery, owner=self._platform)

    def _all(self) -> list[JSON]:
        return self._store.every(DELIVERY, owner=self._platform)

    def _delivery(self, name: str) -> JSON:
        delivery = self._store.find(DELIVERY, name, owner=self._platform)
        assert delivery is not None
        return delivery

    def _schedule(self, name: str, seconds: float) -> None:
        if seconds <= 0:
            self._clock.spawn(self._attempt(name))
        else:
            self._clock.call_later(seconds, lambda: self._clock.spawn(self._attempt(name)))

    async def _attempt_in_turn(self, names: list[str]) -> None:
        for name in names:
            await self._attempt(name)

    async def _attempt(self, name: str) -> None:
        delivery = self._store.find(DELIVERY, name, owner=self._platform)
        if delivery is None:
            return
        if self.interference.holding and delivery["attempts"] > 0:
            delivery["held"] = True
            self._store.flush()
            return
        event = self._store.find("event", delivery["event"], owner=delivery["owner"])
        receiver = self._store.find(RECEIVER, delivery["receiver"], owner=self._platform)
        if event is None or receiver is None:
            self._store.remove(DELIVERY, name, owner=self._platform)
        elif await self._post(event, receiver):
            self._take_off(delivery)
        else:
            self._put_off(name)
        self._store.flush()

    def _take_off(self, delivery: JSON) -> None:
        self._store.remove(DELIVERY, delivery["id"], owner=self._platform)
        event = self._store.find("event", delivery["event"], owner=delivery["owner"])
        if event is not None:  # a copy or a resent one was not counted
            event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)

    def _put_off(self, name: str) -> None:
        delivery = self._store.find(DELIVERY, name, owner=self._platform)
        if delivery is None:
            return  # a reset came while the receiver was thinking
        delivery["attempts"] += 1
        wait = min(self.first_wait_seconds * 2 ** (delivery["attempts"] - 1), LONGEST_WAIT_SECONDS)
        delivery["due"] = self._clock.now() + wait
        if delivery["due"] > delivery["made"] + GIVE_UP_SECONDS:
            self._store.remove(DELIVERY, name, owner=self._platform)
        else:
            self._schedule(name, wait)

    async def _post(self, event: JSON, receiver: JSON) -> bool:
        now = self._clock.now()
        attempt = Attempt(event["id"], event["type"], receiver["id"], at=now)
        self.log.append(attempt)
        payload = json.dumps(event, indent=2).encode()
        headers = {"Stripe-Signature": signature(payload, receiver["secrets"], int(now))}
        try:
            async with self._client().post(
                receiver["url"], data=payload, headers=headers, allow_redirects=False
            ) as reply:
                await reply.read()
                attempt.status = reply.status
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as problem:
            attempt.problem = repr(problem)
        return attempt.status is not None and 200 <= attempt.status < 300

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=RECEIVER_TIMEOUT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={
                    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                    "Content-Type": "application/json; charset=utf-8",
                },
            )
        return self._session

    def attempts(self) -> list[JSON]:
        """The last calls of receivers, oldest first."""
        return [asdict(attempt) for attempt in self.log]


def _wants(receiver: JSON, event: JSON) -> bool:
    of_an_account = "account" in event
    if receiver["connect"] != of_an_account:
        return False
    return any(fnmatchcase(event["type"], pattern) for pattern in receiver["events"])


def _used(numbers: dict[str, int], event_type: str) -> bool:
    """Whether a number stands against this type, which is then one less."""
    for pattern, left in numbers.items():
        if left > 0 and fnmatchcase(event_type, pattern):
            numbers[pattern] = left - 1
            return True
    return False
