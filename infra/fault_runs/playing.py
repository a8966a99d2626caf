"""Seeds played side by side, each in a process and a database of its own."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.postgres import PostgresServer
from tests.simulation.faults import ALL, Faults, only
from tests.simulation.run import Outcome, simulate
from tests.simulation.servers import database

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Order:
    """One seed to be played. `crash` None: the usual chance; no `faults`: all of them."""

    seed: int
    executions: int
    crash: float | None = None
    faults: tuple[str, ...] = ()
    trace: Path | None = None

    @property
    def weather(self) -> Faults:
        """The faults at their chances."""
        faults = only(list(self.faults)) if self.faults else ALL
        return faults if self.crash is None else replace(faults, crash=self.crash)


def play_all(
    server: PostgresServer, orders: list[Order], *, processes: int, console: Console
) -> list[Outcome]:
    """Plays every order, at most `processes` at once; the outcomes in the order of the orders."""
    with (
        _progress(console, sum(order.executions for order in orders)) as advance,
        ThreadPoolExecutor(processes) as threads,
    ):
        return list(threads.map(lambda order: _played(server, order, advance), orders))


def _played(server: PostgresServer, order: Order, advance: Advance) -> Outcome:
    """Waits for a process that plays the order; one that dies has broken its promise too."""
    context = multiprocessing.get_context("spawn")
    outcome: Outcome | None = None
    with database(server, f"seed_{order.seed}") as url:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_play, args=(order, url, sender), daemon=True)
        process.start()
        sender.close()
        try:
            while True:
                word = receiver.recv()
                if isinstance(word, int):
                    advance(order.seed, word)
                else:
                    outcome = word
        except EOFError:
            process.join()
    advance(order.seed, order.executions)
    return outcome or _failure(order, f"the process ended with {process.exitcode}")


def _play(order: Order, url: str, sender: Connection) -> None:
    """What the other process does."""
    if order.trace is not None:
        order.trace.mkdir(parents=True, exist_ok=True)
        opened = (order.trace / f"seed_{order.seed}.log").open("w", encoding="utf-8")
    with nullcontext() if order.trace is None else opened as trace:
        try:
            outcome = simulate(
                url,
                seed=order.seed,
                executions=order.executions,
                faults=order.weather,
                progress=sender.send,
                trace=trace,
            )
        except Exception:
            outcome = _failure(order, traceback.format_exc())
    sender.send(outcome)


def _failure(order: Order, reason: str) -> Outcome:
    return Outcome(order.seed, order.executions, [reason], {}, "", 0.0, 0.0)


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Advance]:
    """A bar over all seeds; without a terminal nothing is drawn."""
    columns = (
        TextColumn("executions"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    done: dict[int, int] = {}
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)

        def advance(seed: int, executions: int) -> None:
            done[seed] = executions
            bar.update(task, completed=sum(done.values()))

        yield advance
