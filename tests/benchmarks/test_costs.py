"""Dollars per million executions, reckoned by hand beside the report."""

import pytest

from infra.benchmarks.costs import Usage, Used
from infra.benchmarks.costs_report import dollars


def _usage(*, busy_ms: float, cpu_ms: float) -> Usage:
    quiet = Used(requests=0, busy_ms=0, cpu_ms=0, log_bytes=0)
    functions = dict.fromkeys(
        ("marketplace", "studio", "admin", "callback", "payments", "tasks", "cleanup"), quiet
    )
    functions["marketplace"] = Used(4, busy_ms, cpu_ms, 2**20)
    functions["tasks"] = Used(2, 0, 0, 0)
    return Usage(runs=1, wrong=0, functions=functions, tasks=2, database_cpu_ms=5)


def test_a_million_executions_cost_what_google_lists() -> None:
    assert dollars(_usage(busy_ms=400, cpu_ms=20)) == pytest.approx(
        {
            "requests": 6 * 0.40,
            "CPU": 0.1 * 24,  # 400 ms shared by four requests
            "memory": 0.1 * 0.5 * 2.5,
            "Cloud Tasks": 2 * 2 * 0.40,
            "logs": round(1_000_000 / 1024 * 0.50, 2),
            "Cloud Armor": 4 * 0.75,  # tasks are not public
        },
        abs=0.01,
    )


def test_requests_that_share_an_instance_still_use_their_own_cpu() -> None:
    assert dollars(_usage(busy_ms=40, cpu_ms=50))["CPU"] == pytest.approx(0.05 * 24)
