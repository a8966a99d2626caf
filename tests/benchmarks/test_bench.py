"""infra/bench as a whole, as short as it can be: every figure is there and no answer is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.benchmarks.cold import FUNCTIONS
from infra.benchmarks.rates import MEASURES

ROOT = Path(__file__).parents[2]
SHORT = ["--rounds", "1", "--seconds", "0.5", "--sustained", "0.5", "--starts", "1"]


@pytest.mark.timeout(300)
def test_a_short_run_measures_everything_and_ends_well(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "infra.benchmarks", *SHORT, "--json", str(file)],
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
