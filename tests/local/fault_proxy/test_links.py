"""Each way in which a link goes wrong, as the two ends see it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from infra.local.fault_proxy import WELL, Fault, Link, Mode
from infra.local.ports import HOST, free_port

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """A server that answers what it is sent, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while chunk := await reader.read(65536):
                self.heard += chunk
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Link, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo, HOST, 0)
    link = Link(server.sockets[0].getsockname()[1])
    await link.open()
    try:
        yield link, echo
    finally:
        link.close()
        server.close()


async def connected(link: Link) -> Ends:
    return await asyncio.open_connection(HOST, link.port)


async def said(ends: Ends, words: bytes, *, seconds: float = 2.0) -> bytes:
    """What comes back; empty when the other side has ended."""
    reader, writer = ends
    writer.write(words)
    async with asyncio.timeout(seconds):
        await writer.drain()
        return await reader.read(65536)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.005)


def run(scenario: Callable[[Link, Echo], Awaitable[None]]) -> None:
    async def play() -> None:
        async with linked() as (link, echo):
            await scenario(link, echo)

    asyncio.run(play())


def test_a_well_link_passes_everything_on_and_ends_when_the_client_does() -> None:
    async def scenario(link: Link, echo: Echo) -> None:
        ends = await connected(link)
        assert await said(ends, b"hello") == b"hello"
        ends[1].write_eof()
        assert await ends[0].read() == b""
        await eventually(lambda: echo.open == 0)

    run(scenario)


def test_latency_delays_both_ways() -> None:
    async def scenario(link: Link, _echo: Echo) -> None:
        ends = await connected(link)
        await link.impose(Fault(Mode.LATENCY, ms=60))
        began = time.monotonic()
        assert await said(ends, b"slow") == b"slow"
        assert time.monotonic() - began >= 0.12

    run(scenario)


def test_a_reset_cuts_open_connections_and_new_ones() -> None:
    async def scenario(link: Link, echo: Echo) -> None:
        ends = await connected(link)
        await said(ends, b"before")
        await link.impose(Fault(Mode.RESET))
        with pytest.raises(ConnectionResetError):
            await said(ends, b"after")
        with pytest.raises(ConnectionResetError):
            await said(await connected(link), b"new")
        await eventually(lambda: echo.open == 0)

    run(scenario)


def test_a_connection_is_reset_after_so_many_bytes_of_answers() -> None:
    async def scenario(link: Link, echo: Echo) -> None:
        ends = await connected(link)
        await link.impose(Fault(Mode.RESET, after_bytes=10))
        assert await said(ends, b"12345678") == b"12345678"
        assert await said(ends, b"abcdef") == b"ab"
        with pytest.raises(ConnectionResetError):
            await said(ends, b"after")
        assert echo.heard == b"12345678abcdef"

    run(scenario)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_flaky_link_loses_its_share_of_the_answers_and_cuts_their_connections(
    share: float,
) -> None:
    async def scenario(link: Link, echo: Echo) -> None:
        await link.impose(Fault(Mode.FLAKY, share=share))
        lost = 0
        for _ in range(200):
            ends = await connected(link)
            try:
                assert await said(ends, b"hello") == b"hello"
            except ConnectionResetError:
                lost += 1
            ends[1].close()
        assert 200 * (share - 0.15) <= lost <= 200 * (share + 0.15)
        assert share not in {0.0, 1.0} or lost == 200 * share
        assert echo.heard == b"hello" * 200  # what was asked has been done all the same

    run(scenario)


def test_a_black_hole_accepts_and_forwards_nothing() -> None:
    async def scenario(link: Link, echo: Echo) -> None:
        old = await connected(link)
        await said(old, b"before")
        await link.impose(Fault(Mode.BLACK_HOLE))
        for ends in (old, await connected(link)):
            with pytest.raises(TimeoutError):
                await said(ends, b"lost", seconds=0.1)
        assert echo.heard == b"before"
        assert echo.open == 1

    run(scenario)


def test_what_fell_into_a_black_hole_stays_there_and_an_idle_connection_lives_on() -> None:
    async def scenario(link: Link, echo: Echo) -> None:
        struck, idle = await connected(link), await connected(link)
        await said(struck, b"a")
        await said(idle, b"b")
        await link.impose(Fault(Mode.BLACK_HOLE))
        with pytest.raises(TimeoutError):
            await said(struck, b"lost", seconds=0.1)
        await link.impose(WELL)
        with pytest.raises(TimeoutError):
            await said(struck, b"silence", seconds=0.1)
        assert await said(idle, b"still here") == b"still here"
        assert echo.heard == b"abstill here"

    run(scenario)


def test_a_server_does_not_learn_that_the_client_left_a_black_hole() -> None:
    async def scenario(link: Link, echo: Echo) -> None:
        ends = await connected(link)
        await said(ends, b"a")
        await link.impose(Fault(Mode.BLACK_HOLE))
        with pytest.raises(TimeoutError):
            await said(ends, b"lost", seconds=0.1)
        ends[1].close()
        await link.impose(WELL)
        await asyncio.sleep(0.1)
        assert echo.open == 1

    run(scenario)


def test_a_half_closed_connection_brings_requests_and_no_answers() -> None:
    async def scenario(link: Link, echo: Echo) -> None:
        old = await connected(link)
        await said(old, b"before ")
        await link.impose(Fault(Mode.HALF_CLOSE))
        assert await said(old, b"old ") == b""
        assert await said(await connected(link), b"new") == b""
        await eventually(lambda: echo.heard == b"before old new")

    run(scenario)


def test_a_refusing_link_has_no_listener_until_it_is_well() -> None:
    async def scenario(link: Link, _echo: Echo) -> None:
        ends, port = await connected(link), link.port
        await said(ends, b"before")
        await link.impose(Fault(Mode.REFUSE))
        with pytest.raises(ConnectionResetError):
            await said(ends, b"after")
        with pytest.raises(ConnectionRefusedError):
            await connected(link)
        await link.impose(WELL)
        assert link.port == port
        assert await said(await connected(link), b"again") == b"again"

    run(scenario)


def test_a_target_that_is_down_ends_the_connection() -> None:
    async def scenario(link: Link, _echo: Echo) -> None:
        link.target = free_port()
        reader, _ = await connected(link)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 2)

    run(scenario)
