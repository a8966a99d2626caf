"""One burst of hold+capture cycles, by processes of ours or by pgbench, counted on both sides."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import IO, Any

from infra.benchmarks import pgbench
from infra.benchmarks.ledger_counting import Burst, Server, Target
from infra.benchmarks.ledger_cycles import (
    CAPTURE,
    DEVELOPER_STEM,
    DEVELOPERS,
    FEE,
    HOLD,
    PRICE,
)
from infra.benchmarks.ledger_filling import wallets
from infra.local.platform import ROOT

CLIENTS = 8
# pgbench has numbers and text but no UUIDs: two numbers of 16 digits, written one after the other,
# are one. Everything else of the statements is the same text.
_ID = "CAST(CAST(:high AS text) || CAST(:low AS text) AS uuid)"
_DEVELOPER = "CAST(CAST(:stem AS text) || CAST(:developer AS text) AS uuid)"
SCRIPT = f"""\
\\set high random(1000000000000000, 9999999999999999)
\\set low random(1000000000000000, 9999999999999999)
\\set wallet random(:first, :last)
\\set developer random({DEVELOPERS[0]}, {DEVELOPERS[1]})
{HOLD.format(id=_ID)};
{CAPTURE.format(id=_ID, developer=_DEVELOPER)};
"""


def python_burst(target: Target, *, seconds: float, processes: int) -> Burst:
    """CLIENTS threads in so many processes, as functions share a database. Raises RuntimeError."""
    server = Server(target)
    order = {
        "database": target.url,
        "threads": CLIENTS // processes,
        "seconds": seconds,
        "wallets": wallets(target.connection),
    }
    running = [_process(order) for _ in range(processes)]
    for process in running:
        _pipe(process.stdout).readline()
    for process in running:
        _tell(process, "")
    results: list[dict[str, Any]] = [json.load(_pipe(process.stdout)) for process in running]
    for process in running:
        process.communicate()
    if failures := [each for result in results for each in result["failures"]]:
        raise RuntimeError("; ".join(failures))
    rate, cycles = sum(it["rate"] for it in results), sum(it["cycles"] for it in results)
    return server.burst(rate, cycles, mean(it["cpu_ms"] for it in results))


def pgbench_burst(program: Path, target: Target, *, seconds: float) -> Burst:
    """The same by pgbench, in whole seconds. Raises PgbenchError."""
    first, last = wallets(target.connection)
    now = datetime.now(UTC)
    values = {
        **{"first": first, "last": last, "price": PRICE, "fee": FEE, "stem": DEVELOPER_STEM},
        **{"now": now.isoformat(), "expires": (now + timedelta(hours=1)).isoformat()},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT)
        script.flush()
        server, before = Server(target), _children_cpu_ms()
        rate, cycles = pgbench.run(
            program,
            Path(script.name),
            target.url,
            clients=CLIENTS,
            seconds=max(1, round(seconds)),
            values={name: str(value) for name, value in values.items()},
        )
    return server.burst(rate, cycles, (_children_cpu_ms() - before) / max(1, cycles))


def _children_cpu_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def _process(order: dict[str, Any]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.benchmarks.ledger_cycles"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    _tell(process, json.dumps(order))
    return process


def _tell(process: subprocess.Popen[str], line: str) -> None:
    pipe = _pipe(process.stdin)
    pipe.write(line + "\n")
    pipe.flush()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None  # asked for with PIPE
    return pipe
