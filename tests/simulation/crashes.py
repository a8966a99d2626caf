"""Processes that die before, at and after every commit and every outside call."""

from collections.abc import Callable
from typing import TypeVar

from tests.simulation.faults import Dice
from tests.simulation.scheduler import Scheduler

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone. No handler may catch it: only `finally` blocks of libraries run."""


class Steps:
    """Takes the code under test from step to step; between them it may die or be overtaken."""

    def __init__(self, scheduler: Scheduler, dice: Dice) -> None:
        self.scheduler = scheduler
        self.dice = dice

    def take(self, name: str, call: Callable[[], T]) -> T:
        """One outside call: it may never be made, or be made with nobody left for its answer."""
        fate = self.fate()
        if fate == "before":
            self.die(name, fate)
        answer = call()
        if fate == "at":
            self.die(name, fate)
        self.overtake()
        if fate == "after":
            self.die(name, fate)
        return answer

    def overtake(self) -> None:
        """Lets others happen between two steps, as when a process is held up."""
        if self.dice.strikes("overtaken"):
            self.scheduler.pass_time(self.dice.rng.uniform(0.0, 3.0))

    def die(self, name: str, when: str) -> None:
        self.dice.struck[f"crash {when}"] += 1
        self.scheduler.note("crash", when, name)
        raise Crash(f"{when} {name}")

    def fate(self) -> str | None:
        """Where this step ends, if it does: a third each dies before, at and after it."""
        chance = self.dice.faults.crash
        drawn = self.dice.rng.random()
        if drawn >= chance:
            return None
        return ("before", "at", "after")[int(drawn / chance * 3)]
