"""Functions as functions-framework starts and serves them: what it answers itself must be ours."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from common.runtime import Runtime
from tests.functions.callers import Studio

ROOT = Path(__file__).parents[2]
FUNCTIONS = ["admin", "callback", "cleanup", "marketplace", "studio", "tasks"]
Apps = Callable[[str], Flask]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_w05_every_404_is_json_with_our_headers(parts: Runtime, apps: Apps, function: str) -> None:
    for path in ("/robots.txt", "/favicon.ico", "/nothing/here", "/.env"):
        headers = {"X-Request-ID": "call-0042"}
        response = apps(function).test_client().get(path, headers=headers)
        assert response.status_code == 404
        assert response.get_json()["error"]["code"] == "ROUTE_NOT_FOUND"
        assert response.get_json()["error"]["requestId"] == "call-0042"
        assert response.headers["X-Request-ID"] == "call-0042"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_answers_for_its_health(parts: Runtime, apps: Apps, function: str) -> None:
    client = apps(function).test_client()
    for path, status in (("", "healthy"), ("/live", "alive"), ("/ready", "healthy")):
        shown = client.get(f"/health{path}").get_json()["data"]
        assert (shown["service"], shown["status"]) == (f"tarsify-{function}", status)
        assert isinstance(shown["uptime"], int)
    assert shown["checks"]["database"]["status"] == "pass"


def test_w05_a_body_of_20_megabytes_reaches_the_limit_of_its_route(
    parts: Runtime, apps: Apps
) -> None:
    body = b'{"id":"job","output":"' + b"x" * 20_000_000 + b'"}'
    path = "/api/webhooks/runpod/00000000-0000-4000-8000-000000000000/token"
    heard = apps("callback").test_client().post(path, data=body, content_type="application/json")
    assert heard.get_json()["error"]["code"] == "ROUTE_NOT_FOUND"


def test_inputs_of_ten_megabytes_are_read_and_larger_ones_are_not(studio: Studio) -> None:
    path = f"/tars-models/{studio.draft()['id']}/test-run"
    read = studio.api.refused("POST", path, {"inputs": {"extra": "x" * 10_400_000}}, status=422)
    assert read["details"]["errors"][0]["field"] == "extra"
    studio.api.refused("POST", path, {"inputs": {"extra": "x" * 10_600_000}}, status=413)


def test_an_exception_that_escapes_everything_says_nothing(parts: Runtime, apps: Apps) -> None:
    app = apps("studio")
    answer: Any
    (answer,) = app.error_handler_spec[None][500].values()
    with app.test_request_context("/x"):
        response = app.make_response(answer(RuntimeError("hunter2")))
    assert response.status_code == 500
    assert response.get_json()["error"]["code"] == "UNEXPECTED"
    assert "hunter2" not in response.get_data(as_text=True)


def started(function: str, environment: Mapping[str, str], port: int) -> subprocess.Popen[str]:
    """A function as its own process, as in the cloud."""
    source = ROOT / "functions" / function / "main.py"
    command = ["-m", "functions_framework", "--target", function, "--source", str(source)]
    return subprocess.Popen(
        [sys.executable, *command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_wrong_configuration_ends_the_process_with_the_reason() -> None:
    wrong = {"ENVIRONMENT": "prod", "FIREBASE_AUTH_EMULATOR_HOST": "localhost:9099"}
    process = started("marketplace", wrong, free_port())
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert output.strip().splitlines()[-1] == (
        "common.settings.ConfigurationError: "
        "FIREBASE_AUTH_EMULATOR_HOST must not be set with ENVIRONMENT=prod"
    )


def test_a_real_process_answers_half_a_body_with_json_and_ends_when_told(
    database_url: str,
) -> None:
    port = free_port()
    process = started("callback", {"DATABASE_URL": database_url, "THREADS": "2"}, port)
    try:
        assert ready(port)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(
                b"POST /runpod/x/y HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b'Content-Length: 100\r\n\r\n{"id":'
            )
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 400 " in head.splitlines()[0]
        assert b'"MALFORMED_BODY"' in body
        assert b"<html" not in body
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output


def ready(port: int) -> bool:
    """Whether the function answers within 20 s."""
    for _ in range(400):
        try:
            return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
        except requests.ConnectionError:
            time.sleep(0.05)
    return False
