"""Answers that are the same for everyone, rendered once and given out for a little while.

The public catalogue is read far more often than it changes, and nobody is owed its very newest
state: what may really be run is decided when a run starts.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from common.http.call import Rendered
from common.http.responses import rendered


class Kept:
    """At most `most` rendered answers; the one made longest ago makes room."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._answers: OrderedDict[Hashable, tuple[float, Rendered]] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, key: Hashable, make: Callable[[], Any], *, seconds: float) -> Rendered:
        """The kept answer if it is younger than `seconds`, else what `make` answers.

        Whatever `make` raises is raised, and not kept.
        """
        made_at, kept = self._answers.get(key, (0.0, None))
        now = self._clock()
        if kept is not None and now - made_at < seconds:
            return kept
        made = rendered(make())
        if seconds > 0:
            with self._lock:
                # Old from before it was made: it may lack what was changed meanwhile.
                self._answers[key] = (now, made)
                self._answers.move_to_end(key)
                while len(self._answers) > self._most:
                    self._answers.popitem(last=False)
        return made
