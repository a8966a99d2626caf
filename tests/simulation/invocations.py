"""Which request is being handled: each greenlet has a context of its own."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Invocation:
    """One request being handled; the jobs that it submitted are orphans if it breaks."""

    name: str
    jobs: list[Any] = field(default_factory=list)
    alarms: int = 0
    excused: bool = False  # whether a fault was made that may end in a 5xx


_current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def begin(name: str) -> Invocation:
    """The request that this greenlet handles from now on."""
    invocation = Invocation(name)
    _current.set(invocation)
    return invocation


def current() -> Invocation:
    """The request that is being handled; one of nobody outside of requests."""
    return _current.get() or Invocation("nobody")
