"""Ports for servers that will be started in a moment."""

import json
import socket
import subprocess
import sys

from infra.local.ports import HOST, free_port


def test_ports_are_free_and_never_given_twice() -> None:
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    for port in ports[:20]:
        with socket.create_server((HOST, port)):
            pass


def test_a_port_is_none_that_an_outgoing_connection_may_get() -> None:
    with socket.create_server((HOST, 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        lowest = min(client.getsockname()[1], server.getsockname()[1], 32_768)
    assert all(free_port() < lowest for _ in range(200))


def test_two_processes_never_get_the_same_ports() -> None:
    script = "from infra.local.ports import free_port; print([free_port() for _ in range(150)])"
    script += "; input()"
    command = [sys.executable, "-c", script]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    given = [json.loads(each.stdout.readline()) for each in running if each.stdout]
    for each in running:
        each.communicate("\n")
    assert len({port for ports in given for port in ports}) == 600
