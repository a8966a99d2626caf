"""Places for requests that stay: each keeps a thread, so there are few, and fewer for a caller."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator


class Places:
    """`most` at once in this process, `each` of one caller."""

    def __init__(self, *, most: int, each: int) -> None:
        self._most, self._each = most, each
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, caller: str) -> bool:
        """Whether there was a place for the caller; then it must be given back."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[caller] >= self._each:
                return False
            self._taken[caller] += 1
            return True

    def give_back(self, caller: str) -> None:
        """The caller's place is free again."""
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


class Staying:
    """An answer that comes bit by bit and keeps a place until it was sent or its reader is gone."""

    def __init__(self, chunks: Iterable[bytes], places: Places, caller: str) -> None:
        self._chunks, self._places, self._caller = iter(chunks), places, caller
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """Called by the server at the end, whatever it was (PEP 3333)."""
        if self._open:
            self._open = False
            self._places.give_back(self._caller)
