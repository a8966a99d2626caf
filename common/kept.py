"""Values that are the same for everyone, kept for a little while.

The catalogue is read far more often than it changes, and nobody is owed its very newest state:
what may really be run, and at which price, is decided by the database when a run starts.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """At most `most` values by key; the one made longest ago makes room."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value], *, seconds: float) -> Value:
        """The kept value if it is younger than `seconds`, else what `make` answers.

        Whatever `make` raises is raised, and not kept.
        """
        now = self._clock()
        found = self._values.get(key)
        if found is not None and now - found[0] < seconds:
            return found[1]
        made = make()
        if seconds > 0:
            with self._lock:
                # Old from before it was made: it may lack what was changed meanwhile.
                self._values[key] = (now, made)
                self._values.move_to_end(key)
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
        return made

    def forget(self, key: Hashable) -> None:
        """The value is known to be wrong."""
        self._values.pop(key, None)
