"""What processes cost: CPU time and memory, children included."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psutil

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Memory:
    """MB. `rss` is the largest process alone; `pss` is all of them, shared pages counted once."""

    rss: float
    pss: float


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """User and system time of a family so far, ended children included."""
    total = 0.0
    for process in family(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    ended = psutil.Process(pid).cpu_times()
    return total + ended.children_user + ended.children_system


def memory(pid: int) -> Memory:
    """A function's memory: its gunicorn master and worker."""
    infos = [process.memory_full_info() for process in family(pid)]
    return Memory(
        rss=max(info.rss for info in infos) / MEGABYTE,
        pss=sum(info.pss for info in infos) / MEGABYTE,
    )
