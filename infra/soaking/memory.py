"""What each part of a platform holds in memory, sampled while it works."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.benchmarks.accounting import family
from infra.local.platform import Platform

POSTGRES = "postgres"
KILOBYTES = 1024  # in a megabyte


@dataclass(frozen=True)
class Held:
    """MB of a process with all its descendants, whose ids are `pids`.

    `heap` is anonymous memory, a page shared by parent and child counted once (Pss_Anon). `whole`
    adds mapped files, which the kernel drops and reads again as it likes, and shared memory:
    PostgreSQL's buffers, which are meant to fill.
    """

    heap: float
    whole: float
    pids: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """All parts by name, `at` seconds after the soak began."""

    at: float
    parts: dict[str, Held]


def held(pid: int) -> Held:
    """Raises psutil.NoSuchProcess when the process itself is gone."""
    sums = {"Pss_Anon": 0, "Pss": 0}
    processes = [each.pid for each in family(pid)]
    for each in processes:
        with suppress(OSError):  # a child may end between the look and the reading
            for name, kilobytes in _rollup(each).items():
                sums[name] += kilobytes
    return Held(sums["Pss_Anon"] / KILOBYTES, sums["Pss"] / KILOBYTES, tuple(processes))


def _rollup(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    pairs = (line.split()[:2] for line in lines)
    return {name[:-1]: int(size) for name, size in pairs if name in {"Pss:", "Pss_Anon:"}}


class Sampler:
    """Samples a platform every `seconds` in a thread of its own, from `start` until `stop`."""

    def __init__(self, platform: Platform, *, seconds: float) -> None:
        self._platform, self._seconds = platform, seconds
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._began = 0.0
        self.samples: list[Sample] = []

    def start(self) -> None:
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ending.is_set():
            self.samples.append(self._sample())
            self._ending.wait(self._seconds)

    def _sample(self) -> Sample:
        supervisor, postgres = self._platform.supervisor, self._platform.postgres
        pids = {name: supervisor.pid(name) for name in supervisor.names()}
        if postgres is not None and (server := postgres.pid()) is not None:
            pids[POSTGRES] = server
        parts = {}
        for name, pid in pids.items():
            with suppress(psutil.NoSuchProcess):
                parts[name] = held(pid)
        return Sample(time.monotonic() - self._began, parts)
