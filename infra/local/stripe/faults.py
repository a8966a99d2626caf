"""Faults of the API as switches: which call they strike, how often, and what they do to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

JSON = dict[str, Any]

FAULTS: Mapping[str, str] = {
    "error": "HTTP 500 before any effect; with saved=true its idempotency key answers so for good",
    "rate_limit": "HTTP 429 before any effect",
    "hang": "nothing happens for `seconds`, then the call is done as always",
    "late": "the call is done at once, its answer comes `seconds` later",
    "lost": "the call is done, then the connection is closed without an answer",
}


@dataclass
class Switch:
    """A fault of the calls that fit `method` and `path` (`*` stands for anything).

    It strikes the next `remaining` of them, or all when None. `options`: seconds, saved.
    """

    fault: str
    method: str = "*"
    path: str = "*"
    remaining: int | None = 1
    options: JSON = field(default_factory=dict)
    struck: int = 0

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"no fault {self.fault}; there are {', '.join(FAULTS)}")

    def fits(self, method: str, path: str) -> bool:
        """Whether this call is its business, and it has not struck often enough."""
        if self.remaining is not None and self.struck >= self.remaining:
            return False
        return fnmatchcase(method, self.method.upper()) and fnmatchcase(path, self.path)


class Faults:
    """The switches that are on, in the order they were set."""

    def __init__(self) -> None:
        self.switches: list[Switch] = []

    def strike(self, method: str, path: str) -> Switch | None:
        """The first switch that fits this call, counted as struck."""
        for switch in self.switches:
            if switch.fits(method, path):
                switch.struck += 1
                return switch
        return None
