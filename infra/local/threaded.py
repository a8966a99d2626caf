"""An asyncio service in a thread of its own, for tests that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Generic, TypeVar

Service = TypeVar("Service")


class Thread(Generic[Service]):
    """Enters an asynchronous context in its own event loop and leaves it when told."""

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[Service]]) -> None:
        self._make = make
        self._settled = threading.Event()
        self._service: Service | None = None
        self._failure: BaseException | None = None
        self._stop: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)

    def start(self) -> tuple[Service, asyncio.AbstractEventLoop]:
        """Start; raises what the context raised when it could not be entered."""
        self._thread.start()
        self._settled.wait()
        if self._failure is not None:
            raise self._failure
        assert self._service is not None
        return self._service, self._loop

    def stop(self) -> None:
        """Leave the context and wait for the thread's end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=10)

    async def _live(self) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            async with self._make() as self._service:
                self._settled.set()
                await self._stop.wait()
        except BaseException as problem:
            if self._settled.is_set():
                raise
            self._failure = problem
        finally:
            self._settled.set()


@contextmanager
def in_thread(
    make: Callable[[], AbstractAsyncContextManager[Service]],
) -> Iterator[tuple[Service, asyncio.AbstractEventLoop]]:
    """The service and its event loop, for as long as the context lasts."""
    thread = Thread(make)
    try:
        yield thread.start()
    finally:
        thread.stop()
