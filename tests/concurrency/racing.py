"""Threads that start at the same moment."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError

from common.db import Database, sqlstate

DEADLOCK = "40P01"
Act = Callable[[], Any]


def race(*acts: Act) -> list[Any]:
    """What each act answered, or the SQLSTATE with which the database refused it.

    All start together. Nothing may ever end in a deadlock; any other error is the test's own.
    """
    start = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)
    broken: list[BaseException] = []

    def run(number: int, act: Act) -> None:
        start.wait()
        try:
            results[number] = act()
        except DBAPIError as error:
            results[number] = sqlstate(error) or str(error)
        except BaseException as error:  # a thread's error would vanish with the thread
            broken.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    assert DEADLOCK not in results
    return results


def warm(db: Database, connections: int) -> None:
    """Opens the pool's connections, so that a race is not one of logging in."""
    opened = [db.engine.connect() for _ in range(connections)]
    for connection in opened:
        connection.close()


def both_orders(pair: Sequence[Act], number: int) -> list[Act]:
    """The acts with the one first or the other: threads tend to win in the order of starting."""
    return list(pair) if number % 2 else list(reversed(pair))
