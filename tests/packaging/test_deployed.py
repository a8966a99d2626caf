"""Each archive, unpacked into an empty folder and run there as Cloud Functions would.

All archives carry the same requirements.txt, which is asserted, so they share one fresh virtual
environment: it is made from that file, with its hashes, and has nothing else in it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import uv

from infra.packing.archives import Archive, pack
from infra.packing.contents import REQUIREMENTS, function_names

PROBE = Path(__file__).with_name("probe.py")
START_SECONDS = 60.0
ALONE = {"PATH": os.environ["PATH"]}  # nothing of this process's Python reaches the archive's


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Archive]:
    return pack(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(archives: dict[str, Archive], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with what the archives ask for and no more."""
    folder = tmp_path_factory.mktemp("environment")
    asked = {zipfile.ZipFile(each.path).read(REQUIREMENTS) for each in archives.values()}
    (text,) = asked
    (folder / REQUIREMENTS).write_bytes(text)
    tool = (uv.find_uv_bin(), "-q")
    run(*tool, "venv", "--python", sys.executable, str(folder / "venv"), environment=os.environ)
    place = ("--python", str(folder / "venv"), "--require-hashes", "-r", str(folder / REQUIREMENTS))
    run(*tool, "pip", "install", *place, environment=os.environ)
    return folder / "venv" / "bin" / "python"


@pytest.fixture(params=function_names())
def unpacked(
    request: pytest.FixtureRequest, archives: dict[str, Archive], tmp_path: Path
) -> tuple[str, Path]:
    """A function's name and the folder with its archive's files."""
    folder = tmp_path / "workspace"
    with zipfile.ZipFile(archives[request.param].path) as archive:
        archive.extractall(folder)
    return request.param, folder


def run(*command: str, environment: Mapping[str, str], cwd: Path | None = None) -> str:
    """A command's output."""
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def served(python: Path, folder: Path, port: int, settings: dict[str, str]) -> Iterator[None]:
    """The function in functions-framework, with no path but its own folder."""
    process = subprocess.Popen(
        [str(python), "-m", "functions_framework", "--target", "main"],
        cwd=folder,
        env={**ALONE, "PORT": str(port), "THREADS": "2", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output


def first_answer(port: int, path: str) -> Any:
    """The first answer's JSON; a function that is not there yet is asked again."""
    ends_at = time.monotonic() + START_SECONDS
    while True:
        try:
            return requests.get(f"http://127.0.0.1:{port}{path}", timeout=10).json()
        except requests.ConnectionError:
            assert time.monotonic() < ends_at, "it did not start"
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.timeout(300)
def test_an_archive_compiles_loads_and_answers_for_its_health(
    unpacked: tuple[str, Path], python: Path, database_url: str
) -> None:
    name, folder = unpacked
    run(str(python), "-m", "compileall", "-f", "-q", ".", environment=ALONE, cwd=folder)
    run(str(python), str(PROBE), environment=ALONE, cwd=folder)
    port = free_port()
    with served(python, folder, port, {"DATABASE_URL": database_url, "RELEASE": "r7"}):
        health = first_answer(port, "/health")["data"]
        assert (health["service"], health["status"]) == (f"tarsify-{name}", "healthy")
        assert health["version"] == "r7"
        ready = first_answer(port, "/health/ready")["data"]
        assert ready["checks"]["database"]["status"] == "pass"
