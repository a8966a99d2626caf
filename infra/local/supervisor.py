"""Processes that belong together: started in order, watched, restarted, ended together."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
PR_SET_PDEATHSIG = 1
READY_SECONDS = 60.0
RESTART_PAUSE_SECONDS = 0.5


class NotStarted(RuntimeError):
    """A process did not come up; the message says which, and ends with its last words."""


@dataclass
class Service:
    """A process and how to know that it is ready: something listens on its port.

    `alone`: it sees only its own environment, nothing of ours.
    """

    name: str
    command: Sequence[str]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False


class Supervisor:
    """Starts services, keeps them up, and ends them all."""

    def __init__(self, logs: Path, folder: Path) -> None:
        self._logs, self._folder = logs, folder
        self._services: dict[str, Service] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._watched = False  # a process that is watched may be between two lives
        self.restarts = 0
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, services: Sequence[Service]) -> None:
        """Starts services side by side and waits until all are ready. Raises NotStarted."""
        for service in services:
            with self._lock:
                self._services[service.name] = service
                self._spawn(service)
        for service in services:
            self._await(service)

    def watch(self, also: Callable[[], None]) -> None:
        """Starts again whatever dies, and calls `also` each time, from now until `stop`."""
        self._watched = True
        threading.Thread(target=self._watch, args=(also,), daemon=True).start()

    def pid(self, name: str) -> int:
        """The present process of a service."""
        return self._processes[name].pid

    def service(self, name: str) -> Service:
        """How a service was started."""
        return self._services[name]

    def names(self) -> list[str]:
        return list(self._services)

    def log(self, name: str) -> Path:
        """What a service has said in all its lives."""
        return self._logs / f"{name}.log"

    def wait_ready(self, name: str) -> None:
        """Waits until a service listens again. Raises NotStarted."""
        self._await(self._services[name])

    def stop(self) -> None:
        """Ends every process: asks first, then insists."""
        self._ending.set()
        with self._lock:
            for process in self._processes.values():
                _signal(process, signal.SIGTERM)
            ends_at = time.monotonic() + 5
            for process in self._processes.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, ends_at - time.monotonic()))
                _signal(process, signal.SIGKILL)
                process.wait()

    def _spawn(self, service: Service) -> None:
        with self.log(service.name).open("ab") as log:
            self._processes[service.name] = subprocess.Popen(
                service.command,
                cwd=self._folder,
                env={**({} if service.alone else os.environ), **service.environment},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no locks
            )

    def _await(self, service: Service) -> None:
        ends_at = time.monotonic() + READY_SECONDS
        while not listening(service.port):
            gone = self._processes[service.name].poll() is not None
            if time.monotonic() > ends_at or (gone and not self._watched):
                raise NotStarted(f"{service.name} did not start:\n{self._last_words(service)}")
            time.sleep(0.02)

    def _watch(self, also: Callable[[], None]) -> None:
        while not self._ending.wait(RESTART_PAUSE_SECONDS):
            also()
            with self._lock:
                for name, process in self._processes.items():
                    if process.poll() is not None and not self._ending.is_set():
                        self._spawn(self._services[name])
                        self.restarts += 1

    def _last_words(self, service: Service) -> str:
        file = self.log(service.name)
        return "\n".join(file.read_text(errors="replace").splitlines()[-8:])


def end_with_parent() -> None:
    """Linux ends this process when its parent dies, so that a killed infra/up leaves nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def listening(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Waits for a condition. Raises NotStarted naming `what` when it does not come true."""
    ends_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_at:
            raise NotStarted(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
