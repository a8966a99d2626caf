"""Several threads that start the same work at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from common.errors import TarsifyError


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What each thread got: its result, or the error of ours that refused it."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait()
        try:
            return work(number)
        except TarsifyError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
