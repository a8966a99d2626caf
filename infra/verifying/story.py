"""The whole story in its order, with a way back that is always gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType

from infra.verifying.books import Books
from infra.verifying.checklist import Check, Checklist
from infra.verifying.consuming import Consuming
from infra.verifying.developing import Developing
from infra.verifying.outside import Outside
from infra.verifying.undoing import Undoing
from infra.verifying.visit import Visit

# A request whose answer was not awaited may still be at work; what it does must be seen.
SETTLING_SECONDS = 3.0
BACK, AFTER = "Back again", "Afterwards"
STOPPING = b"stopping: what was done is taken back first, wait\n"
STOPPING_STILL = b"it is being taken back, wait\n"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """The first Ctrl-C ends the story; after it, and once the way back has begun, none does."""

    def __init__(self) -> None:
        self._held = False
        for number in SIGNALS:
            signal.signal(number, self._arrived)

    def hold(self) -> None:
        """From here on nothing interrupts."""
        self._held = True

    def _arrived(self, _number: int, _frame: FrameType | None) -> None:
        first, self._held = not self._held, True
        # Not by print: it may be what was interrupted, and cannot be entered twice.
        os.write(2, STOPPING if first else STOPPING_STILL)
        if first:
            raise KeyboardInterrupt


def take_back(visit: Visit, tell: Callable[[str], None]) -> bool:
    """What a verification left behind that was killed, by its mark. Whether all of it is undone."""
    checklist, books = Checklist(tell), Books(visit)
    before = [*books.accounts(), ("its order is found", Consuming(visit).find_order)]
    back, after = (BACK, Undoing(visit).checks()), (AFTER, books.in_itself())
    _go_through(checklist, ("Before", before), back, after)
    tell(f"\n{checklist.summary()}")
    return checklist.good


def verify(visit: Visit, tell: Callable[[str], None]) -> bool:
    """Plays the story, goes back, looks again. Whether every check was ok to the end."""
    checklist, stop, stopped = Checklist(tell), Stop(), False
    books = Books(visit)
    parts = (
        ("From outside", Outside(visit).checks()),
        ("Before", [*books.accounts(), *books.before()]),
        ("The developer", Developing(visit).checks()),
        ("The consumer", Consuming(visit).checks()),
    )
    try:
        _go_through(checklist, *parts)
        stop.hold()  # inside: a signal between the story and the way back must not skip the latter
    except KeyboardInterrupt:
        stopped = True
    if stopped or not checklist.good:
        time.sleep(SETTLING_SECONDS)
    _go_through(checklist, (BACK, Undoing(visit).checks()), (AFTER, books.after()))
    tell(f"\n{checklist.summary()}{'; it was stopped' if stopped else ''}")
    return checklist.good and not stopped


def _go_through(checklist: Checklist, *parts: tuple[str, Sequence[Check]]) -> None:
    for title, checks in parts:
        checklist.tell(f"\n{title}")
        checklist.go_through(checks)
