"""A way to a server that tests can break."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from infra.local.fault_proxy import WELL, Fault, Link, Mode
from infra.local.threaded import in_thread

BREAKING = (Mode.BLACK_HOLE, Mode.HALF_CLOSE, Mode.RESET, Mode.REFUSE)


class BreakableLink:
    """`port` leads to the target; a fault is in force when `impose` returns."""

    def __init__(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        self._link, self._loop = link, loop
        self.port = link.port

    def impose(self, mode: Mode, **more: int) -> None:
        self._impose(Fault(mode, **more))

    def mend(self) -> None:
        self._impose(WELL)

    def _impose(self, fault: Fault) -> None:
        asyncio.run_coroutine_threadsafe(self._link.impose(fault), self._loop).result(5)


@contextmanager
def link_to(target: int) -> Iterator[BreakableLink]:
    """A link to another port of this machine, for as long as the context lasts."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Link]:
        link = Link(target)
        await link.open()
        yield link
        link.close()

    with in_thread(opened) as (link, loop):
        yield BreakableLink(link, loop)
