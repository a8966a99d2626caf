"""Cold starts: from exec to the first 200, time to import, memory; beside an empty function."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from infra.benchmarks.accounting import Memory, memory
from infra.benchmarks.http import HOST, prepared
from infra.local.platform import INTERNAL, PUBLIC, ROOT, Platform
from infra.local.ports import free_port
from infra.local.supervisor import Service

FUNCTIONS = (*PUBLIC, *INTERNAL)
AIM = 2.5
LONGEST_SECONDS = 30.0
_IMPORT = """
import time
import functions_framework._http.gunicorn
begun = time.perf_counter()
import functions.{name}.main
print(time.perf_counter() - begun)
"""


@dataclass
class Cold:
    """One function's starts in seconds, its import in seconds, and its memory after the first."""

    name: str
    route: str
    starts: list[float]
    import_seconds: float | None
    memory: Memory

    @property
    def best(self) -> float:
        return min(self.starts)

    @property
    def median(self) -> float:
        return median(self.starts)


def measure_cold(platform: Platform, *, times: int) -> list[Cold]:
    """The empty function first; then every function, and browse as a heavier first request."""
    found = platform.supervisor
    wanted = [("empty", "/"), *((name, "/health/ready") for name in FUNCTIONS)]
    wanted.append(("marketplace", "/models"))
    starts: dict[tuple[str, str], list[float]] = {each: [] for each in wanted}
    sizes: dict[tuple[str, str], Memory] = {}
    for _ in range(times):  # in turn, so that a busy moment of the machine meets them all
        for name, route in wanted:
            seconds, sizes[name, route] = first_answer(found.service(name), route)
            starts[name, route].append(seconds)
    environment = found.service("marketplace").environment
    return [
        Cold(
            name,
            route,
            starts[name, route],
            import_seconds(name, environment, times=times) if name in FUNCTIONS else None,
            sizes[name, route],
        )
        for name, route in wanted
    ]


def first_answer(service: Service, route: str) -> tuple[float, Memory]:
    """Seconds from exec to the first 200, and what the process then holds. Raises TimeoutError."""
    port = free_port()
    command = [str(port) if part == str(service.port) else part for part in service.command]
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **service.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _answers(port, route):
            if time.perf_counter() - begun > LONGEST_SECONDS or process.poll() is not None:
                raise TimeoutError(f"{service.name} gave no answer on {route}")
            time.sleep(0.002)
        return time.perf_counter() - begun, memory(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def import_seconds(name: str, environment: Mapping[str, str], *, times: int) -> float:
    """What a function adds to the framework's own imports; the best of `times`."""
    return min(
        float(
            subprocess.run(
                [sys.executable, "-c", _IMPORT.format(name=name)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                check=True,
                timeout=LONGEST_SECONDS,
            ).stdout
        )
        for _ in range(times)
    )


def _answers(port: int, route: str) -> bool:
    with socket.socket() as client:
        client.settimeout(LONGEST_SECONDS)
        try:
            client.connect((HOST, port))
            client.sendall(prepared("GET", route, close=True))
            return client.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
