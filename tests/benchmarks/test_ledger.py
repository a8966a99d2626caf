"""The ledger's part of infra/bench: what is counted is in the ledger, nothing is made up."""

import io
import json
from pathlib import Path

import pytest
from pg8000.native import Connection
from rich.console import Console

from common.db import Database
from common.settings import Settings
from infra.benchmarks import ledger_filling as filling
from infra.benchmarks import pgbench
from infra.benchmarks.__main__ import main
from infra.benchmarks.ledger_counting import Burst, Target
from infra.benchmarks.ledger_figures import PGBENCH, PYTHON, WAYS, LedgerRates, Size
from infra.benchmarks.ledger_places import Place
from infra.benchmarks.ledger_report import ledger_json, show_ledger
from infra.benchmarks.ledger_runs import python_burst
from infra.local.postgres import PostgresServer

SHORT = ["--only", "ledger", "--rounds", "1", "--seconds", "1", "--ledger-sizes", "2000", "6000"]


@pytest.fixture
def owner(postgres: PostgresServer, database_url: str) -> Connection:
    connection = Connection(
        "postgres",
        host="127.0.0.1",
        port=postgres.port,
        database=database_url.rsplit("/", 1)[1],
        ssl_context=False,
    )
    filling.open_accounts(connection)
    return connection


@pytest.fixture
def target(postgres: PostgresServer, owner: Connection, database_url: str) -> Target:
    pid = postgres.pid()
    assert pid is not None
    return Target(database_url, owner, pid)


def printed(rates: LedgerRates) -> str:
    out = io.StringIO()
    show_ledger(Console(file=out, width=160), rates)
    return out.getvalue()


def rates(*, small: float, large: float, yardstick: float) -> LedgerRates:
    sizes = [Size(10_000), Size(1_000_000)]
    for size, rate in zip(sizes, (small, large), strict=True):
        size.bursts = {
            way: [Burst(rate, 10, 0, 0.5, 1.0), Burst(rate / 2, 10, 0, 0.5, 1.0)] for way in PYTHON
        }
        size.bursts[PGBENCH] = [
            Burst(yardstick, 10, 0, 0.1, 1.0),
            Burst(yardstick / 2, 10, 0, 0.1, 1.0),
        ]
    return LedgerRates(sizes, Path("pgbench"))


@pytest.mark.timeout(300)
def test_a_short_run_measures_every_way_on_every_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert main([*SHORT, "--json", str(file)]) == 0, capsys.readouterr().out
    told = json.loads(file.read_text())["ledger"]
    assert [size["transfers"] for size in told["sizes"]] == [2000, 6000]
    assert told["wrong"] == 0
    for size in told["sizes"]:
        assert size["invariant_seconds"] > 0
        for way in WAYS:
            (burst,) = size["bursts"][way]
            assert burst["lost"] == 0
            assert min(burst[it] for it in burst if it != "lost") > 0, burst


@pytest.mark.timeout(300)
def test_without_pgbench_our_own_rate_is_measured_and_the_report_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pgbench, "_places", lambda: iter([tmp_path / "pgbench"]))
    file = tmp_path / "figures.json"
    assert main([*SHORT[:-1], "--json", str(file)]) == 0
    assert "pgbench not found: install it with" in capsys.readouterr().out
    (size,) = json.loads(file.read_text())["ledger"]["sizes"]
    assert size["bursts"][PGBENCH] == []
    assert set(size["shares"].values()) == {None}
    assert size["bursts"]["python 2 x 4"][0]["rate"] > 0


@pytest.mark.parametrize("transfers", [1002, 5000])
def test_a_filled_ledger_has_that_many_transfers_and_keeps_the_invariants(
    owner: Connection, transfers: int
) -> None:
    for _ in range(2):  # whatever it was before
        filling.fill(owner, transfers)
        assert filling.transfers(owner) == transfers
        assert filling.violations(owner)[0] == 0


def test_the_invariants_would_notice_a_wrong_filling(owner: Connection) -> None:
    filling.fill(owner, 2000)
    owner.run("UPDATE ledger.account_state SET posted = posted + 1 WHERE class = 'guarded'")
    assert filling.violations(owner)[0] > filling.WALLETS


def test_a_ledger_that_has_grown_is_judged_before_it_is_filled_anew(target: Target) -> None:
    place = Place(Size(2000), target)
    filling.fill(target.connection, 2900)
    place.renew()
    assert (filling.transfers(target.connection), place.size.largest) == (2900, 2900)
    filling.fill(target.connection, 3002)
    target.connection.run("UPDATE ledger.account_state SET posted = 1 WHERE class = 'deferred'")
    place.renew()
    assert (filling.transfers(target.connection), place.size.largest) == (2000, 3002)
    assert place.size.violations > 0


def test_cycles_of_a_burst_are_in_the_ledger(owner: Connection, target: Target) -> None:
    filling.fill(owner, 2000)
    burst = python_burst(target, seconds=0.3, processes=2)
    assert burst.lost == 0
    assert filling.transfers(owner) == 2000 + 2 * burst.cycles
    assert filling.violations(owner)[0] == 0


def test_a_burst_whose_cycles_are_refused_fails_aloud(owner: Connection, target: Target) -> None:
    with pytest.raises(RuntimeError, match="not enough credits"):  # nothing was granted
        python_burst(target, seconds=0.3, processes=1)


def test_a_pgbench_that_fails_is_no_number(tmp_path: Path, database_url: str) -> None:
    program, script = pgbench.found(), tmp_path / "wrong.sql"
    script.write_text("SELECT 1/0;\n")
    assert program is not None
    with pytest.raises(pgbench.PgbenchError, match="division by zero"):
        pgbench.run(program, script, database_url, clients=1, seconds=1, values={})


def test_the_application_may_not_call_what_the_benchmark_calls(database_url: str) -> None:
    database = Database(Settings(database_url=database_url))
    with database.step() as connection:
        allowed = connection.exec_driver_sql(
            "SELECT bool_or(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc p"
            " WHERE pronamespace = 'ledger'::regnamespace AND proname IN ('place_hold', 'capture')"
        ).scalar_one()
    database.dispose()
    assert allowed is False


def test_both_aims_are_judged_by_the_best_rounds() -> None:
    told = printed(rates(small=700, large=690, yardstick=1000))
    assert told.count("met") == 5  # the share on both sizes, and every way is kept on the large one
    assert "missed" not in told
    told = printed(rates(small=590, large=400, yardstick=1000))
    assert told.count("missed") == 4
    figures = ledger_json(rates(small=590, large=400, yardstick=1000))["sizes"]
    assert figures[0]["shares"]["python 2 x 4"] == (0.59, 0.59)
    assert figures[1]["kept"]["python 1 x 8"] == pytest.approx((400 / 590, 400 / 590))
    assert figures[0]["kept"][PGBENCH] is None


def test_lost_cycles_and_violations_are_wrong_answers() -> None:
    wrong = rates(small=700, large=690, yardstick=1000)
    wrong.sizes[0].violations = 2
    wrong.sizes[1].bursts[PGBENCH] = [Burst(1000, 10, 3, 0.1, 1.0)] * 2
    assert wrong.wrong == 8
    assert "8 cycles lost or invariants violated" in printed(wrong)
