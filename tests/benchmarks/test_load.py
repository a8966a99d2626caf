"""The load generator counts what really was answered, and says how long it took."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.benchmarks.http import Connection, prepared
from infra.benchmarks.load import burst, percentile

ROOT = Path(__file__).parents[2]
SLOW_SECONDS = 0.02


class Target(BaseHTTPRequestHandler):
    """Answers what the path says."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str | None, bytes]]

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.seen.append((self.path, self.headers["Authorization"], body))
        if self.path == "/slow":
            time.sleep(SLOW_SECONDS)
        if self.path == "/hang-up":
            self.close_connection = True
            return
        content = b"x" * 100_000 if self.path == "/long" else b'{"a": 1}'
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def seen() -> list[tuple[str, str | None, bytes]]:
    return []


@pytest.fixture
def port(seen: list[tuple[str, str | None, bytes]]) -> Iterator[int]:
    handler = type("Handler", (Target,), {"seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def load(port: int, *paths: str, **order: Any) -> Any:
    requests = [prepared("GET", path) for path in paths]
    bounds = {"connections": 4, "seconds": 5.0, "most": 40, **order}
    return asyncio.run(burst(port, requests, **bounds))


def test_it_stops_at_the_number_of_requests_and_counts_each_once(port: int, seen: Any) -> None:
    result = load(port, "/a", "/b", "/missing")
    assert result.statuses.total() == len(result.latencies) == len(seen)
    assert 40 <= len(seen) < 44
    assert abs(result.statuses[404] - len(seen) / 3) <= 1


def test_it_stops_when_the_time_is_over(port: int) -> None:
    result = load(port, "/slow", seconds=0.2, most=10**6)
    assert 0.2 <= result.seconds < 1
    assert min(result.latencies) >= SLOW_SECONDS * 1000


def test_a_connection_that_hangs_up_is_a_wrong_answer_and_another_is_opened(port: int) -> None:
    result = load(port, "/hang-up", "/a")
    assert result.statuses[0] > 0
    assert result.statuses[200] > 0


def test_a_long_answer_is_read_whole_before_the_next_question(port: int) -> None:
    async def twice() -> list[tuple[int, int]]:
        connection = await Connection.open(port)
        answers = [await connection.ask(prepared("GET", path)) for path in ("/long", "/a")]
        connection.close()
        return [(status, len(body)) for status, body in answers]

    assert asyncio.run(twice()) == [(200, 100_000), (200, 8)]


def test_a_prepared_request_is_real_http(port: int, seen: Any) -> None:
    request = prepared("POST", "/p", token="t", body={"é": 1}, close=True)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request)
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    assert seen == [("/p", "Bearer t", json.dumps({"é": 1}).encode())]


def test_as_a_process_it_reads_an_order_and_writes_a_summary(port: int) -> None:
    order = {
        "port": port,
        "requests": [prepared("GET", "/a").decode("latin-1")],
        "connections": 2,
        "seconds": 5,
        "most": 20,
    }
    done = subprocess.run(
        [sys.executable, "-m", "infra.benchmarks.load"],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
        timeout=30,
    )
    result = json.loads(done.stdout)
    assert 20 <= result["requests"] <= 21
    assert result["statuses"] == {"200": result["requests"]}
    assert 0 < result["p50_ms"] <= result["p99_ms"]


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99)] == [1.0, 51.0, 100.0]
    assert percentile([], 0.5) == 0.0
