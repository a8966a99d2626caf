"""Ports for servers that will be started in a moment."""

import socket

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
