"""infra/bench as a whole, as short as it can be: every figure is there and no answer is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.benchmarks.cold import FUNCTIONS
from infra.benchmarks.guards import BARE, GUARDS
from infra.benchmarks.rates import MEASURES

ROOT = Path(__file__).parents[2]
SHORT = ["--rounds", "1", "--seconds", "0.5", "--sustained", "0.5", "--starts", "1", "--runs", "8"]
SMALL = ["--ledger-sizes", "2000"]


@pytest.mark.timeout(300)
def test_a_short_run_measures_everything_and_ends_well(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "infra.benchmarks", *SHORT, *SMALL, "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(file.read_text())
    rates = {each["name"]: each["rounds"][0] for each in told["rates"]}
    assert rates.keys() == {"empty function", *(measure.name for measure in MEASURES)}
    assert all(each["rate"] > 0 and each["wrong"] == 0 for each in rates.values())
    cold = {each["name"]: each for each in told["cold_starts"]}
    assert set(FUNCTIONS) < cold.keys()
    assert all(0 < each["starts"][0] < 30 and each["memory"]["pss"] > 1 for each in cold.values())
    assert all(cold[name]["archive_kib"] > 100 for name in FUNCTIONS)
    guards = {each["name"]: each for each in told["guards"]}
    assert guards.keys() == {BARE.name, *(measure.name for measure in GUARDS)}
    assert all(each["rates"][0] > 0 and each["wrong"] == 0 for each in guards.values())
    assert told["ledger"]["wrong"] == 0
    used = told["costs"]["functions"]
    assert used["marketplace"]["requests"] >= 4
    assert used["callback"]["requests"] == used["tasks"]["requests"] == 1
    assert all(used[name]["cpu_ms"] > 0 for name in ("marketplace", "callback", "tasks"))
