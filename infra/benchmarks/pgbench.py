"""PostgreSQL's own load generator as a yardstick: found, run and read.

The wheel that the local PostgreSQL comes from carries it; PATH and Debian's places come after, and
where there is none the report says so instead of showing a number.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.postgres import PARTS, packages

MISSING = "pgbench not found: install it with `apt-get install -y postgresql-contrib`"
_DEBIAN = Path("/usr/lib/postgresql")
_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


class PgbenchError(RuntimeError):
    """pgbench ran and did not do what it was told, in its own words."""


def found() -> Path | None:
    """The program, the one of the measured server's own version first."""
    return next((path for path in _places() if path.is_file()), None)


def _places() -> Iterator[Path]:
    yield packages() / PARTS[0] / "bin" / "pgbench"
    if on_path := shutil.which("pgbench"):
        yield Path(on_path)
    yield from sorted(_DEBIAN.glob("*/bin/pgbench"), reverse=True)


def run(
    program: Path, script: Path, url: str, *, clients: int, seconds: int, values: Mapping[str, str]
) -> tuple[float, int]:
    """How often a second the script was run, connecting not counted, and how often in all.

    Raises PgbenchError.
    """
    done = subprocess.run(
        [
            *(str(program), "-n", "-M", "prepared", "-f", str(script)),
            *("-c", str(clients), "-T", str(seconds)),
            *(f"--define={name}={value}" for name, value in values.items()),
            *_address(url),
        ],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    rate, count = _RATE.search(done.stdout), _DONE.search(done.stdout)
    failed = _FAILED.search(done.stdout)
    if done.returncode or rate is None or count is None or (failed and int(failed[1])):
        raise PgbenchError(f"{program} failed: {done.stderr.strip()}\n{done.stdout}")
    return float(rate[1]), int(count[1])


def _address(url: str) -> list[str]:
    parts = urlsplit(url)
    user, host = parts.username or "postgres", parts.hostname or ""
    return ["-U", user, "-h", host, "-p", str(parts.port), parts.path.lstrip("/")]
