"""A checklist that goes on after a failure: each line says what was seen and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from infra.calling import CallFailed

OUTCOMES = OK, FAILED, SKIPPED = "ok", "FAILED", "skipped"
Check = tuple[str, Callable[[], str]]


class CheckFailed(RuntimeError):
    """Something is not as it should be; the message says what was seen instead."""


class Missing(RuntimeError):
    """A check needs what an earlier one did not get, so it can say nothing by itself."""


class Notes(dict[str, Any]):
    """What checks found out, for those after them."""

    def __missing__(self, name: str) -> Any:
        raise Missing(f"there is no {name}")


@dataclass(frozen=True)
class Line:
    """A check that was made, or could not be."""

    sentence: str
    outcome: str
    saw: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.outcome:<8}{self.seconds:6.1f} s  {self.sentence}: {self.saw}"


class Checklist:
    """Makes checks one after another and tells each line as soon as it is known."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.lines: list[Line] = []
        self.tell = tell

    @property
    def good(self) -> bool:
        return all(line.outcome == OK for line in self.lines)

    def summary(self) -> str:
        """How many lines ended how."""
        counts = {it: sum(line.outcome == it for line in self.lines) for it in OUTCOMES}
        return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)

    def go_through(self, checks: Sequence[Check]) -> None:
        """Each check, whatever became of those before it."""
        for sentence, look in checks:
            began = time.monotonic()
            outcome, saw = _made(look)
            line = Line(sentence, outcome, saw, time.monotonic() - began)
            self.lines.append(line)
            self.tell(str(line))


def expect(true: bool, otherwise: str) -> None:
    """Raises CheckFailed with what was seen instead."""
    if not true:
        raise CheckFailed(otherwise)


def _made(look: Callable[[], str]) -> tuple[str, str]:
    try:
        return OK, look()
    except Missing as reason:
        return SKIPPED, str(reason)
    except (CheckFailed, CallFailed) as reason:
        return FAILED, str(reason)
    except (
        Exception
    ) as error:  # an answer that nobody expected: the others are checked all the same
        return FAILED, f"{type(error).__name__}: {error}"
