"""What the gate needs beside terraform itself: from PyPI, pinned, kept for the next time."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.packing.contents import ROOT
from infra.terraform_checking import bindings as bindings_module

CACHE = ROOT / ".terraform-check"
UV = ROOT / ".venv" / "bin" / "uv"
BINDINGS = "21.1.0"  # of google 8.7.0; 20.3.1 are those of 7.46.1
PROTOCOL = "tf==1.2.0"  # the plugin protocol's generated classes; wants protobuf below 6
CHECKOV = "checkov==3.3.30"


def missing_terraform() -> str:
    """Why nothing can be checked here; empty when it can."""
    return "" if shutil.which("terraform") else "there is no terraform on the PATH"


@contextmanager
def alone() -> Iterator[None]:
    """Keeps other gates on this machine waiting: two test processes share one cache."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def schema(bindings: str = BINDINGS) -> Path:
    """The provider's schema as JSON, read from its bindings the first time (15 s)."""
    reader = hashlib.sha256(Path(bindings_module.__file__).read_bytes()).hexdigest()[:8]
    target = CACHE / f"google-{bindings}-{reader}.json"
    if not target.exists():
        package = CACHE / f"bindings-{bindings}"
        _uv("install", "--no-deps", "--target", str(package), f"cdktn-provider-google=={bindings}")
        (archive,) = package.rglob("*.jsii.tgz")
        bindings_module.write_schema(archive, target)
    return target


def protocol_python() -> Path:
    """A Python that has the plugin protocol's classes."""
    return _environment("protocol", PROTOCOL) / "bin" / "python"


def checkov() -> Path:
    """The checkov command."""
    return _environment("checkov", CHECKOV) / "bin" / "checkov"


def _environment(name: str, requirement: str) -> Path:
    """A virtual environment with one requirement, made again when the pin changes."""
    folder = CACHE / name
    installed = folder / "installed"
    if not installed.exists() or installed.read_text() != requirement:
        subprocess.run([UV, "venv", "-q", "--clear", folder], check=True)
        _uv("install", "--python", str(folder / "bin" / "python"), requirement)
        installed.write_text(requirement)
    return folder


def _uv(*arguments: str) -> None:
    print(f"terraform_check: installing {arguments[-1]} (once) ...")
    subprocess.run([UV, "pip", arguments[0], "-q", *arguments[1:]], check=True)
