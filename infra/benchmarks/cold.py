"""What is deployed: the archives' sizes, their cold starts from exec to the first 200 and their
memory, beside an empty function in the same run.

Each archive is unpacked, compiled and started as Cloud Functions does; only its environment is that
of the local platform.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from infra.benchmarks.accounting import Memory, memory
from infra.benchmarks.http import HOST, prepared
from infra.local.platform import INTERNAL, PUBLIC, Platform
from infra.local.ports import free_port
from infra.packing.archives import pack

FUNCTIONS = (*PUBLIC, *INTERNAL)
AIM, MEMORY_AIM_MB = 2.5, 100.0
LONGEST_SECONDS = 30.0
EMPTY = "empty"
_IMPORT = """
import time
import functions_framework._http.gunicorn
begun = time.perf_counter()
import main
print(time.perf_counter() - begun)
"""


@dataclass
class Cold:
    """One function's archive, its starts and its import in seconds, its memory after the first.

    `archive_kib` is None for the empty function, which is not packed.
    """

    name: str
    route: str
    starts: list[float]
    import_seconds: float
    memory: Memory
    archive_kib: float | None = None

    @property
    def best(self) -> float:
        return min(self.starts)

    @property
    def median(self) -> float:
        return median(self.starts)


@dataclass(frozen=True)
class Deployed:
    """A function as it lies in the cloud: its folder, what it is told, how large it was sent."""

    name: str
    folder: Path
    environment: Mapping[str, str]
    archive_kib: float | None


def measure_cold(platform: Platform, *, times: int) -> list[Cold]:
    """The empty function first; then every function, and browse as a heavier first request."""
    with tempfile.TemporaryDirectory(prefix="tarsify-bench-") as folder:
        places = deployed(platform, Path(folder))
        wanted = [(EMPTY, "/"), *((name, "/health/ready") for name in FUNCTIONS)]
        wanted.append(("marketplace", "/models"))
        found = {
            (name, route): Cold(
                name,
                route,
                [],
                import_seconds(places[name], times=times),
                Memory(0, 0),
                places[name].archive_kib,
            )
            for name, route in wanted
        }
        for _ in range(times):  # in turn, so that a busy moment of the machine meets them all
            for (name, route), each in found.items():
                seconds, each.memory = first_answer(places[name], route)
                each.starts.append(seconds)
    return list(found.values())


def deployed(platform: Platform, folder: Path) -> dict[str, Deployed]:
    """Every archive unpacked below `folder`, and the empty function beside them."""
    empty = folder / EMPTY
    empty.mkdir()
    shutil.copy(Path(__file__).with_name("empty.py"), empty / "main.py")
    places = {EMPTY: Deployed(EMPTY, empty, {"FUNCTION_TARGET": EMPTY, "THREADS": "16"}, None)}
    for name, archive in pack(folder / "dist").items():
        with zipfile.ZipFile(archive.path) as file:
            file.extractall(folder / name)
        told = platform.supervisor.service(name).environment
        environment = {**told, "FUNCTION_TARGET": "main", "PYTHONPATH": ""}
        size = archive.path.stat().st_size / 1024
        places[name] = Deployed(name, folder / name, environment, size)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)
    return places


def first_answer(place: Deployed, route: str) -> tuple[float, Memory]:
    """Seconds from exec to the first 200, and what the process then holds. Raises TimeoutError."""
    port = free_port()
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "functions_framework", "--host", HOST, "--port", str(port)],
        cwd=place.folder,
        env={**os.environ, **place.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _answers(port, route):
            if time.perf_counter() - begun > LONGEST_SECONDS or process.poll() is not None:
                raise TimeoutError(f"{place.name} gave no answer on {route}")
            time.sleep(0.002)
        return time.perf_counter() - begun, memory(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def import_seconds(place: Deployed, *, times: int) -> float:
    """What a function adds to the framework's own imports; the best of `times`."""
    return min(
        float(
            subprocess.run(
                [sys.executable, "-c", _IMPORT],
                cwd=place.folder,
                env={**os.environ, **place.environment},
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
