"""Seeds played side by side, each in a process and a database of its own."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

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
    server: PostgresServer,
    orders: list[Order],
    *,
    processes: int,
    console: Console,
    finished: Callable[[list[Outcome]], None] = lambda _so_far: None,
) -> list[Outcome]:
    """Plays every order, `processes` at once; the outcomes in the order of their seeds.

    Every process loads the code once, at the start: a long run is a run of one commit.
    finished: told after each seed of all outcomes so far.
    """
    waiting: SimpleQueue[Order] = SimpleQueue()
    for order in orders:
        waiting.put(order)
    outcomes: dict[int, Outcome] = {}
    with _progress(console, sum(order.executions for order in orders)) as advance:

        def work(player: Player) -> None:
            with player:
                while True:
                    try:
                        order = waiting.get_nowait()
                    except Empty:
                        return
                    with database(server, f"seed_{order.seed}") as url:
                        outcomes[order.seed] = player.play(order, url, advance)
                    advance(order.seed, order.executions)
                    finished([outcomes[seed] for seed in sorted(outcomes)])

        with ThreadPoolExecutor(processes) as threads:
            list(threads.map(work, [Player() for _ in range(processes)]))
    return [outcomes[seed] for seed in sorted(outcomes)]


class Player:
    """A process that plays one order after the other."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._process.join()

    def play(self, order: Order, url: str, advance: Advance) -> Outcome:
        """What came of an order; a process that died has broken its promise too."""
        try:
            self._ours.send((order, url))
            while isinstance(word := self._ours.recv(), int):
                advance(order.seed, word)
        except (EOFError, OSError):
            return _failure(order, f"the process ended with {self._process.exitcode}")
        outcome: Outcome = word
        return outcome


def _serve(orders: Connection) -> None:
    """What the other process does until nobody orders any more."""
    while True:
        try:
            order, url = orders.recv()
        except EOFError:
            return
        try:
            outcome = _play(order, url, orders)
        except Exception:
            outcome = _failure(order, traceback.format_exc())
        orders.send(outcome)


def _play(order: Order, url: str, listener: Connection) -> Outcome:
    with ExitStack() as files:
        trace = None
        if order.trace is not None:
            order.trace.mkdir(parents=True, exist_ok=True)
            path = order.trace / f"seed_{order.seed}.log"
            trace = files.enter_context(path.open("w", encoding="utf-8"))
        return simulate(
            url,
            seed=order.seed,
            executions=order.executions,
            faults=order.weather,
            progress=listener.send,
            trace=trace,
        )


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
