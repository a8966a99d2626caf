"""The stand-in's whole state: one platform account and the accounts connected to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infra.local.runpod.clock import Clock
from infra.local.stripe.books import Books
from infra.local.stripe.deliveries import Deliveries, Interference
from infra.local.stripe.errors import no_such
from infra.local.stripe.events import Events
from infra.local.stripe.faults import Faults
from infra.local.stripe.idempotency import Keys
from infra.local.stripe.store import Store

JSON = dict[str, Any]
PLATFORM = "acct_1TarsifyPlatform"
"""The id of the account that the API key belongs to."""


class Simulator:
    """What every part of the stand-in shares."""

    def __init__(self, *, key: str, manual_clock: bool = False, data: Path | None = None) -> None:
        self.key = key
        self.base_url = ""
        self.public_url = ""
        """Where a browser reaches the pages; `base_url` unless told otherwise."""
        self.clock = Clock(manual=manual_clock)
        self.store = Store(data)
        self.deliveries = Deliveries(self.clock, self.store, platform=PLATFORM)
        self.events = Events(self.clock, self.store, self.deliveries, platform=PLATFORM)
        self.books = Books(self.clock, self.store)
        self.keys = Keys(self.clock, self.store)
        self.faults = Faults()

    def now(self) -> int:
        """The present instant, in whole Unix seconds."""
        return int(self.clock.now())

    def get(
        self, kind: str, name: str, *, owner: str = PLATFORM, param: str = "id", status: int = 404
    ) -> JSON:
        """The object, to read or to change.

        Raises:
            Refused: there is none; `status` is 404 when a path named it, 400 for a parameter.
        """
        found = self.store.find(kind, name, owner=owner)
        if found is None:
            raise no_such(kind.replace(".", " "), name, param=param, status=status)
        return found

    def reset(self) -> None:
        """Forget objects, balances, deliveries, faults and timers; keep the receivers."""
        receivers = self.deliveries.receivers()
        self.clock.clear()
        self.store.clear()
        for receiver in receivers:
            self.store.add(receiver, owner=PLATFORM)
        self.faults.switches.clear()
        self.deliveries.interference = Interference()
        self.deliveries.log.clear()
        self.books.delay_seconds = 0.0
        self.books.resume()
        self.store.flush()
