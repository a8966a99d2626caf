"""TCP ports on loopback."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
# Below what systems give to outgoing connections (Linux from 32768, macOS from 49152): one of those
# would take the port between the look and the bind, or while its server is being restarted.
_CHOICE = range(15_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, another one each time."""
    while True:
        port = random.choice(_CHOICE)
        with socket.socket() as probe:
            if port not in _given and _binds(probe, port):
                _given.add(port)
                return port


def _binds(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind((HOST, port))
    except OSError:
        return False
    return True
