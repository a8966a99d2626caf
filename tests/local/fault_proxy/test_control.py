"""The proxy as a process: told over its control port, while connections pass through it."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.local.fault_proxy import WELL, Control, Fault, Mode
from infra.local.ports import HOST, free_port
from infra.local.supervisor import listening, until


@contextmanager
def greeter() -> Iterator[int]:
    """A server that says hello to whoever connects."""
    with socket.create_server((HOST, 0)) as server:

        def greet() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"hello")

        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxied() -> Iterator[tuple[Control, int]]:
    port, through = free_port(), free_port()
    with greeter() as target:
        command = [
            *(sys.executable, "-m", "infra.local.fault_proxy", "--port", str(port)),
            *("--link", f"greeter:{through}:{target}"),
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            until(lambda: listening(port), seconds=20, what="the proxy")
            yield Control(port), through
        finally:
            process.terminate()
            assert process.wait(10) == 0


def greeting(port: int) -> bytes:
    with socket.create_connection((HOST, port), timeout=0.3) as connection:
        return connection.recv(5)


def test_a_fault_is_in_force_when_it_was_told_and_over_when_it_is_lifted(
    proxied: tuple[Control, int],
) -> None:
    control, port = proxied
    assert greeting(port) == b"hello"
    control.impose("greeter", Fault(Mode.BLACK_HOLE))
    with pytest.raises(TimeoutError):
        greeting(port)
    control.impose("greeter", Fault(Mode.REFUSE))
    with pytest.raises(ConnectionRefusedError):
        greeting(port)
    control.lift("greeter")
    assert greeting(port) == b"hello"


def test_an_order_that_makes_no_sense_is_refused_with_its_reason(
    proxied: tuple[Control, int],
) -> None:
    control, port = proxied
    with pytest.raises(ValueError, match="nowhere"):
        control.impose("nowhere", WELL)
    with socket.create_connection((HOST, control.port), timeout=5) as connection:
        connection.sendall(b'{"link": "greeter", "mode": "gremlins"}\n[]\n')
        answers = connection.makefile()
        assert "gremlins" in answers.readline()
        assert "TypeError" in answers.readline()
    assert greeting(port) == b"hello"
