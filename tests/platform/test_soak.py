"""A very short `infra/soak`: the platform is really loaded, faults strike, and it is reckoned."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pg8000.native import Connection
from rich.console import Console

from infra.chaos_testing.checks import Books
from infra.chaos_testing.course import proxied_platform
from infra.local.platform import Platform
from infra.local.ports import HOST
from infra.soaking.judging import Change
from infra.soaking.report import as_json, show
from infra.soaking.soak import FUNCTIONS, LIVELESS_HOLDS, Outcome, Soak

# Under this seed the first jobs meet several faults, but none that takes a minute to be over.
SEED, RATE, SECONDS = 2325, 8.0, 6.0


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with proxied_platform() as platform:
        yield platform


@pytest.fixture(scope="module")
def outcome(platform: Platform) -> Outcome:
    soak = Soak(platform, seed=SEED, tell=lambda _: None, consumers=8)
    return soak.run(SECONDS, RATE)


@pytest.mark.timeout(300)
def test_under_a_drizzle_of_faults_every_promise_holds_and_every_figure_is_had(
    outcome: Outcome,
) -> None:
    assert outcome.broken == {}
    assert outcome.clicks == sum(outcome.statuses.values()) == pytest.approx(SECONDS * RATE, abs=9)
    assert outcome.statuses["COMPLETED"] > outcome.clicks / 2
    assert sum(outcome.struck.values()) >= 3
    judged = {change.name for change in outcome.memory if change.aim is not None}
    assert judged == set(FUNCTIONS)
    assert {"postgres", "gateway", "runpod"} <= {change.name for change in outcome.memory}
    assert all(change.first > 1 and change.last > 1 for change in outcome.memory)
    assert outcome.start is not None
    assert 0 < outcome.start.first < 30_000


def test_a_figure_that_grew_spoils_the_outcome_and_is_printed_with_its_share(
    outcome: Outcome,
) -> None:
    flat = replace(outcome, memory=[Change("callback", 50.0, 50.0, 5.0)], start=None)
    assert flat.good
    grown = replace(flat, memory=[Change("callback", 50.0, 60.0, 5.0)])
    assert not grown.good
    assert not replace(flat, broken={"no hold is open": ["one"]}).good
    out = io.StringIO()
    show(Console(file=out, width=160), grown)
    assert "NOT FLAT: callback: +20.0 %" in out.getvalue()
    assert json.loads(json.dumps(as_json(grown)))["changes"][0]["missed"] is True


def test_a_hold_that_stays_open_after_its_run_is_seen(platform: Platform, outcome: Outcome) -> None:
    assert outcome.clicks
    assert platform.postgres is not None
    port = platform.postgres.port
    assert Books(platform.postgres).rows(LIVELESS_HOLDS) == []
    connection = Connection("postgres", host=HOST, port=port, database="tarsify", ssl_context=False)
    try:
        connection.run("BEGIN")
        connection.run("SET LOCAL session_replication_role = replica")
        connection.run("UPDATE ledger.hold SET state = 'held', captured = 0, resolved_at = NULL")
        assert connection.run(LIVELESS_HOLDS)
    finally:
        connection.run("ROLLBACK")
        connection.close()
