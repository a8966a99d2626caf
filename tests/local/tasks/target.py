"""A queue, and a target that remembers what it was sent and answers as told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.cloud import tasks_v2

QUEUE = "projects/p/locations/l/queues/q"


@dataclass
class Target:
    """An HTTP server; each answer is taken from `answers`, then 200."""

    url: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    slow: float = 0.0

    def wait_for(self, count: int) -> None:
        eventually(lambda: len(self.requests) >= count)


def eventually(done: Callable[[], bool], within: float = 10.0) -> None:
    """Poll until it is so; fails when it never is."""
    deadline = time.monotonic() + within
    while not done():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


@contextmanager
def listening() -> Iterator[Target]:
    """A target, for as long as the context lasts."""
    told = Target()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.requests.append((self.command, dict(self.headers), body))
            time.sleep(told.slow)
            status, headers = told.answers.pop(0) if told.answers else (200, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_PUT = do_POST  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/job"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def task_for(url: str, **more: object) -> tasks_v2.Task:
    """A task that posts some JSON to `url`."""
    request = tasks_v2.HttpRequest(
        http_method=tasks_v2.HttpMethod.POST,
        url=url,
        headers={"Content-Type": "application/json"},
        body=json.dumps({"n": 1}).encode(),
    )
    return tasks_v2.Task(http_request=request, **more)
