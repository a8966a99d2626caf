"""What one execution uses of everything that Google bills: measured on a platform that is at rest
but for the runs that are counted."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from infra.benchmarks.accounting import cpu_seconds
from infra.benchmarks.installation import ANSWER, PROMPT, Installation
from infra.calling import Caller
from infra.local.platform import INTERNAL, PUBLIC
from infra.local.supervisor import until

FUNCTIONS = (*PUBLIC, *INTERNAL)
RUN_MS = 5_000
LOOK_SECONDS = 2.0
PEOPLE = 16
ALARM_SECONDS = 12  # the poll is set for 10 s after the start, and rings for a run that has ended
ENDS = {"COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED"}


@dataclass(frozen=True)
class Used:
    """Of one function, for one execution."""

    requests: float
    busy_ms: float  # from the first byte of a request to the last of its answer
    cpu_ms: float
    log_bytes: float


@dataclass(frozen=True)
class Usage:
    """For one execution. `tasks`: alarms that rang; each is created and delivered."""

    runs: int
    wrong: int
    functions: dict[str, Used]
    tasks: float
    database_cpu_ms: float

    @property
    def requests(self) -> float:
        return sum(each.requests for each in self.functions.values())

    @property
    def public_requests(self) -> float:
        return sum(self.functions[name].requests for name in PUBLIC)

    @property
    def busy_ms(self) -> float:
        return sum(each.busy_ms for each in self.functions.values())

    @property
    def cpu_ms(self) -> float:
        return sum(each.cpu_ms for each in self.functions.values())

    @property
    def log_bytes(self) -> float:
        return sum(each.log_bytes for each in self.functions.values())


def measure_usage(place: Installation, *, runs: int) -> Usage:
    """Consumers look at a model, start it, look every 2 s until it ends, and read the result."""
    place.workers({"mode": "script", "run_ms": RUN_MS, "output": ANSWER})
    place.drop_alarms()
    before = _Meters(place)
    with ThreadPoolExecutor(PEOPLE) as people:
        ends = list(people.map(lambda number: _run(place, number), range(runs)))
    until(lambda: _rung(place, before) >= runs, seconds=60, what="the alarms of the runs")
    time.sleep(1.0)  # the last of them is answered
    after = _Meters(place)
    functions = {name: _per_run(before, after, name, runs) for name in FUNCTIONS}
    return Usage(
        runs=runs,
        wrong=sum(end != "COMPLETED" for end in ends),
        functions=functions,
        tasks=functions["tasks"].requests,
        database_cpu_ms=(after.database - before.database) * 1000 / runs,
    )


class _Meters:
    """What everything has used so far."""

    def __init__(self, place: Installation) -> None:
        supervisor = place.platform.supervisor
        logs = {name: supervisor.log(name).read_text(encoding="utf-8") for name in FUNCTIONS}
        durations = {name: _durations(log) for name, log in logs.items()}
        self.requests = {name: len(each) for name, each in durations.items()}
        self.busy_ms = {name: sum(each) for name, each in durations.items()}
        self.log_bytes = {name: len(log) for name, log in logs.items()}
        self.cpu = {name: cpu_seconds(supervisor.pid(name)) for name in FUNCTIONS}
        self.database = cpu_seconds(place.postgres_pid)


def _durations(log: str) -> list[float]:
    """Of the requests that a function has answered, ms."""
    lines = (line for line in log.splitlines() if '"message": "request"' in line)
    return [float(json.loads(line)["durationMs"]) for line in lines]


def _rung(place: Installation, before: _Meters) -> int:
    return _Meters(place).requests["tasks"] - before.requests["tasks"]


def _per_run(before: _Meters, after: _Meters, name: str, runs: int) -> Used:
    return Used(
        requests=(after.requests[name] - before.requests[name]) / runs,
        busy_ms=(after.busy_ms[name] - before.busy_ms[name]) / runs,
        cpu_ms=(after.cpu[name] - before.cpu[name]) * 1000 / runs,
        log_bytes=(after.log_bytes[name] - before.log_bytes[name]) / runs,
    )


def _run(place: Installation, number: int) -> str:
    """One execution as its consumer goes through it; answers how it ended."""
    slug = place.slugs[number % len(place.slugs)]
    caller = Caller(place.platform.url, place.tokens[number % len(place.tokens)])
    caller.call("GET", f"/api/marketplace/models/{slug}")
    started = caller.call("POST", f"/api/marketplace/models/{slug}/run", PROMPT)
    path = f"/api/marketplace/runs/{started['executionId']}"
    while True:
        time.sleep(LOOK_SECONDS)
        status = str(caller.call("GET", f"{path}/status")["status"])
        if status in ENDS:
            caller.call("GET", path)
            return status
