"""The steps of a run as spans of one trace, in whichever function each happens.

A run's trace has the run's own id, so nothing is carried through tasks and webhooks, and whoever
knows a run finds its trace. They are sent by common/gateways/traces.py.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass
class Step:
    """What one step says of itself. One that names no run leaves no span."""

    name: str
    began_ns: int
    run: uuid.UUID | None = None
    facts: dict[str, str] = field(default_factory=dict)
    failed: bool = False

    def of(self, run: uuid.UUID, **facts: object) -> None:
        """Names the run, and adds facts that are no secret."""
        self.run = run
        self.facts |= {name: str(value) for name, value in facts.items()}


class Traces(Protocol):
    """Where steps go when they have ended."""

    def ended(self, step: Step, run: uuid.UUID) -> None: ...


class NoTraces:
    """Tracing is off."""

    def ended(self, step: Step, run: uuid.UUID) -> None:
        """Nothing."""


@contextmanager
def step(traces: Traces, name: str) -> Iterator[Step]:
    """One step, from here to the end of the block, also when that raises."""
    now = Step(name, time.time_ns())
    try:
        yield now
    except BaseException:
        now.failed = True
        raise
    finally:
        if now.run is not None:
            traces.ended(now, now.run)


def is_traced(run: uuid.UUID, share: float) -> bool:
    """The same answer in every function: the first 48 bits of an id are random."""
    return (run.int >> 80) < share * 2**48
