"""TCP ports on loopback."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Iterator

HOST = "127.0.0.1"
# Below what systems give to outgoing connections (Linux from 32768, macOS from 49152): one of those
# would take the port between the look and the bind, or while its server is being restarted.
_CHOICE = range(15_000, 32_000)
_BLOCK = 100


class _Ports:
    """Hands out the ports of blocks that belong to this process as long as it lives.

    A port is given before its server binds it, and stays given while a killed server is restarted.
    Another platform on this machine must not take it meanwhile: whoever listens on the first port
    of a block owns the block.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._owned: list[socket.socket] = []
        self._ports = self._all()

    def next(self) -> int:
        with self._lock:
            if self._pid != os.getpid():  # a forked copy owns nothing
                self._pid, self._owned, self._ports = os.getpid(), [], self._all()
            return next(port for port in self._ports if _is_free(port))

    def _all(self) -> Iterator[int]:
        while True:
            first = random.SystemRandom().randrange(_CHOICE.start, _CHOICE.stop, _BLOCK)
            if (owner := _listening(first)) is not None:
                self._owned.append(owner)
                yield from range(first + 1, first + _BLOCK)


def free_port() -> int:
    """A port that nobody listens on, another one each time, and ours until this process ends."""
    return _PORTS.next()


def _listening(port: int) -> socket.socket | None:
    owner = socket.socket()
    try:
        owner.bind((HOST, port))
        owner.listen(1)
    except OSError:
        owner.close()
        return None
    return owner


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


_PORTS = _Ports()
