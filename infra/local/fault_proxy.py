"""A TCP proxy that is told, while it runs, how the network between two processes goes wrong.

One process has several links, each a loopback port that leads to another one, and a control port
that takes one JSON object a line: {"link": "database", "mode": "latency", "ms": 100}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum

from infra.local.ports import HOST

CHUNK = 64 * 1024
# A server learns by keepalive that a silent peer is gone; until then its session, with its locks,
# lives on.
SILENCE_SECONDS = 60.0
_RST_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """PASS; LATENCY: every chunk is `ms` late, both ways; RESET: a connection is cut as soon as
    `after_bytes` of answers have passed, at 0 at once; BLACK_HOLE: connections are accepted and
    bytes vanish; HALF_CLOSE: requests arrive, but the answering side is closed; REFUSE: nobody
    listens, and connections are cut; FLAKY: each answer is lost, and its connection cut, with a
    chance of `share`."""

    PASS = "pass"
    LATENCY = "latency"
    RESET = "reset"
    BLACK_HOLE = "black_hole"
    HALF_CLOSE = "half_close"
    REFUSE = "refuse"
    FLAKY = "flaky"


@dataclass(frozen=True)
class Fault:
    """What a link does from now on."""

    mode: Mode
    ms: float = 0.0
    after_bytes: int = 0
    share: float = 0.0


WELL = Fault(Mode.PASS)


class Link:
    """A port that leads to `target`, another port of this machine. Belongs to one event loop."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.target, self.port = target, port
        self.fault = WELL
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def open(self) -> None:
        """Listens. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def impose(self, fault: Fault) -> None:
        """Changes what happens to connections, those that are open included.

        A connection that has lost bytes to a black hole stays silent when the fault is over.
        """
        self.fault = fault
        if fault.mode is Mode.REFUSE:
            self._stop_listening()
        elif self._server is None:
            await self.open()
        for connection in list(self._connections):
            connection.meet(fault)

    def close(self) -> None:
        """Stops listening and cuts every connection."""
        self._stop_listening()
        for connection in list(self._connections):
            connection.cut()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            await connection.live()
        except (OSError, asyncio.CancelledError):
            # Either side hung up, the target is down, or the proxy ends: the client sees it. No
            # other task waits for this one, so nobody needs to know that it was cancelled.
            pass
        finally:
            connection.cut()
            self._connections.discard(connection)


class _Connection:
    """A client's connection and the one made on its behalf."""

    def __init__(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._link, self._reader = link, reader
        self._client = writer
        self._target: asyncio.StreamWriter | None = None
        self._silent = self._mute = False  # nothing passes any more; no answer does
        self._answered = 0  # bytes since the present fault was imposed

    async def live(self) -> None:
        """Passes bytes on until both sides have ended. Raises OSError when one breaks off."""
        self.meet(self._link.fault)
        if self._client.transport.is_closing():
            return
        if self._link.fault.mode is Mode.BLACK_HOLE:
            self._silent = True
            await self._pump(self._reader, None, answers=False)
            return
        answers, self._target = await asyncio.open_connection(HOST, self._link.target)
        await asyncio.gather(
            self._requests(self._target), self._pump(answers, self._client, answers=True)
        )

    async def _requests(self, target: asyncio.StreamWriter) -> None:
        await self._pump(self._reader, target, answers=False)
        if self._silent:
            await asyncio.sleep(SILENCE_SECONDS)
            self.cut()

    def meet(self, fault: Fault) -> None:
        """What a fault does to this connection at once."""
        self._answered = 0
        if fault.mode is Mode.REFUSE or (fault.mode is Mode.RESET and not fault.after_bytes):
            self.cut()
        elif fault.mode is Mode.HALF_CLOSE and not self._silent:
            self._mute = True
            _end(self._client)

    def cut(self) -> None:
        """Resets both sides: their next read or write fails."""
        for writer in (self._client, self._target):
            if writer is not None and not writer.transport.is_closing():
                with suppress(OSError):
                    made: socket.socket = writer.get_extra_info("socket")
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
                writer.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter | None, *, answers: bool
    ) -> None:
        while chunk := await source.read(CHUNK):
            if self._link.fault.mode is Mode.LATENCY:
                await asyncio.sleep(self._link.fault.ms / 1000)
            passing = self._what_passes(chunk, answers=answers)
            if passing and to is not None:
                to.write(passing)
                await to.drain()
            if answers and self._used_up():
                self.cut()
        if to is not None and not self._silent:
            _end(to)

    def _what_passes(self, chunk: bytes, *, answers: bool) -> bytes:
        fault = self._link.fault
        if fault.mode is Mode.BLACK_HOLE:
            self._silent = True
        if self._silent or (answers and self._mute):
            return b""
        if answers and fault.mode is Mode.FLAKY and random.random() < fault.share:
            self.cut()
            return b""
        if answers and fault.mode is Mode.RESET:
            chunk = chunk[: fault.after_bytes - self._answered]
            self._answered += len(chunk)
        return chunk

    def _used_up(self) -> bool:
        fault = self._link.fault
        return fault.mode is Mode.RESET and self._answered >= fault.after_bytes


def _end(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        if not writer.transport.is_closing():
            writer.write_eof()


class Control:
    """Tells a proxy process what its links do. Raises OSError when the process is not there."""

    def __init__(self, port: int) -> None:
        self.port = port

    def impose(self, link: str, fault: Fault) -> None:
        """Puts a fault on a link; it is in force when this returns. Raises ValueError."""
        with socket.create_connection((HOST, self.port), timeout=10) as connection:
            connection.sendall(json.dumps({"link": link, **asdict(fault)}).encode() + b"\n")
            problem = connection.makefile().readline().strip()
        if problem:
            raise ValueError(problem)

    def lift(self, link: str) -> None:
        """Ends the fault on a link."""
        self.impose(link, WELL)


class ControlPort:
    """The server's end of `Control`: answers each line with an empty one, or with a problem."""

    def __init__(self, links: dict[str, Link]) -> None:
        self._links = links

    async def serve(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._converse, HOST, port)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                writer.write(f"{await self._obey(line)}\n".encode())
                await writer.drain()
        writer.close()

    async def _obey(self, line: bytes) -> str:
        try:
            order = json.loads(line)
            link = self._links[order.pop("link")]
            await link.impose(Fault(**order | {"mode": Mode(order["mode"])}))
        except (ValueError, TypeError, KeyError) as problem:
            return repr(problem)
        return ""


async def run(options: argparse.Namespace) -> None:
    """Serves until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    links = {name: Link(target, port) for name, port, target in options.link}
    for link in links.values():
        await link.open()
    await ControlPort(links).serve(options.port)
    print(f"Fault proxy on {HOST}:{options.port}: {', '.join(links)}", flush=True)
    await stop.wait()
    for link in links.values():
        link.close()


def _link(text: str) -> tuple[str, int, int]:
    try:
        name, port, target = text.split(":")
        return name, int(port), int(target)
    except ValueError:
        raise argparse.ArgumentTypeError("give NAME:PORT:TARGET") from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the control port")
    parser.add_argument("--link", action="append", default=[], type=_link)
    asyncio.run(run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
