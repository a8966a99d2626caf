"""What stands before the handlers: allowances, and requests that come again. The slice behind it
is common.traffic; here is only what it must be able to do."""

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

# By kind of caller and route: public by address, the others by who is signed in; `refused` counts
# what an address tries with credentials that are not valid.
Tier = Literal["public", "read", "write", "start", "auth", "refused", "webhook"]


@dataclass(frozen=True)
class Allowance:
    """How much of a tier is left to a caller. `per_minute` is also how many may come at once."""

    tier: Tier
    per_minute: int
    allowed: bool
    remaining: int
    wait_seconds: float
    full_seconds: float

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next request is let in."""
        return max(1, math.ceil(self.wait_seconds))

    @property
    def headers(self) -> dict[str, str]:
        """The fields of the IETF draft "RateLimit header fields", and the older ones that existing
        clients read (contract.md 2.4: the reset is in seconds from now)."""
        reset = str(math.ceil(self.full_seconds))
        return {
            "RateLimit-Policy": f'"{self.tier}";q={self.per_minute};w=60',
            "RateLimit": f'"{self.tier}";r={self.remaining};t={reset}',
            "X-RateLimit-Limit": str(self.per_minute),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": reset,
        }


@dataclass(frozen=True)
class Earlier:
    """What was answered to the first request with this key."""

    status: int
    answer: str


class Gate(Protocol):
    """Decides for all functions together; common.traffic.service.Traffic is one."""

    def admit(self, tier: Tier, caller: str) -> Allowance | None:
        """Takes one request from the caller's allowance; None where nothing limits.

        Raises Unavailable where it cannot be told and the tier moves money.
        """

    def begin(self, owner: str, key: str, request_hash: bytes) -> Earlier | None:
        """None: do it. Raises RequestInFlight or IdempotencyKeyReused."""

    def finish(self, owner: str, key: str, status: int, answer: str) -> None:
        """Keeps the answer for the next request with this key."""

    def abandon(self, owner: str, key: str) -> None:
        """The request was refused and changed nothing."""


def fingerprint(method: str, path: str, body: Any) -> bytes:
    """The same for the same request, whatever the order of its fields."""
    return hashlib.sha256(json.dumps([method, path, body], sort_keys=True).encode()).digest()
