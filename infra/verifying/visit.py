"""One verification: who takes part, what is wanted, what was found, and how to go back to it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.calling import Caller, CallFailed
from infra.verifying.checklist import CheckFailed, Notes

MARKET, STUDIO, STAFF = "/api/marketplace", "/api/studio", "/api/admin"
PRICE = 10  # credits; seven cents of it are the developer's, without a fraction
CANCEL_TRIES = 4  # a GPU may be quicker than a cancel
GIVEN = PRICE * (1 + CANCEL_TRIES)
ENDED = {"COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED"}
REASON = "infra/verify: taken back at its end"
LOOK_SECONDS = 1.0
TRIES, PAUSE_SECONDS = 5, 2.0
Ask = Callable[[], Any]


@dataclass(frozen=True)
class Wanted:
    """What is verified, and with what."""

    url: str
    origin: str
    base_model: str
    inputs: dict[str, Any]
    wait_seconds: float
    internal_urls: tuple[str, ...] = ()


@dataclass
class Visit:
    """The people at one installation and what they know."""

    wanted: Wanted
    consumer: Caller
    developer: Caller
    staff: Caller
    mark: uuid.UUID
    notes: Notes = field(default_factory=Notes)

    @property
    def slug(self) -> str:
        """Of the tars model; nobody else's, so that it can be found whatever happened."""
        return f"verify-{self.mark}"

    @property
    def anybody(self) -> Caller:
        """Somebody who has not signed in."""
        return Caller(self.wanted.url)

    def key(self, what: str) -> str:
        """An Idempotency-Key of this verification."""
        return f"{self.slug}-{what}"

    def reference(self, what: str) -> str:
        """A reference of this verification: the same again is done once."""
        return str(uuid.uuid5(self.mark, what))

    def runs(self) -> list[dict[str, Any]]:
        """This verification's runs, also one whose start was never answered."""
        found = insist(lambda: self.consumer.call("GET", f"{MARKET}/runs?limit=100"))
        return [run for run in found if run["tarsModel"]["slug"] == self.slug]

    def model(self) -> dict[str, Any] | None:
        """The tars model in its developer's list, also one whose making was never answered."""
        found = insist(lambda: self.developer.call("GET", f"{STUDIO}/tars-models?limit=100"))
        return next((model for model in found if model["slug"] == self.slug), None)

    def run_ended(self, run_id: str) -> dict[str, Any]:
        """The run after its end. Nothing is hurried: alarms and webhooks are to bring it there."""
        path = f"{MARKET}/runs/{run_id}"

        def look() -> dict[str, Any] | None:
            seen = insist(lambda: self.consumer.call("GET", f"{path}/status"))
            if seen["status"] not in ENDED:
                return None
            ended: dict[str, Any] = insist(lambda: self.consumer.call("GET", path))
            return ended

        run: dict[str, Any] = until(
            look, seconds=self.wanted.wait_seconds, what="the run has not ended"
        )
        return run


def insist(ask: Ask) -> Any:
    """Asks again while nobody answers: only for what may be asked twice. Raises CallFailed."""
    for _ in range(TRIES - 1):
        try:
            return ask()
        except CallFailed as failure:
            if not failure.passing:
                raise
            time.sleep(PAUSE_SECONDS)
    return ask()


def until(look: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """Looks until there is something to see. Raises CheckFailed after so many seconds."""
    ends_at = time.monotonic() + seconds
    while (seen := look()) is None:
        if time.monotonic() > ends_at:
            raise CheckFailed(f"{what} within {seconds:.0f} s")
        time.sleep(LOOK_SECONDS)
    return seen
