"""The way to the database breaks: no request hangs, and nothing broken is used twice."""

import threading
import time

import pytest
from sqlalchemy import exc, text

from common.db import IDLE_SECONDS_BEFORE_PING
from common.errors import Unavailable
from common.http.failures import failure_of
from infra.local.fault_proxy import Mode
from tests.database.conftest import IMPATIENT, BreakableDatabase
from tests.links import BREAKING


@pytest.mark.parametrize("mode", BREAKING)
def test_a_break_while_a_statement_runs_is_a_passing_failure_within_the_time(
    breakable: BreakableDatabase, mode: Mode
) -> None:
    """A driver's raw socket error was a 500 once, and came after 30 s."""
    breakable.backend()
    threading.Timer(0.15, breakable.impose, [mode]).start()
    began = time.monotonic()
    with breakable.db.step() as connection, pytest.raises(exc.DBAPIError) as broken:
        connection.execute(text("SELECT pg_sleep(0.4)"))
    assert isinstance(failure_of(broken.value), Unavailable)
    assert time.monotonic() - began < 0.4 + IMPATIENT.answer_s + 0.5


@pytest.mark.parametrize("mode", BREAKING)
def test_a_break_inside_a_transaction_is_a_passing_failure(
    breakable: BreakableDatabase, mode: Mode
) -> None:
    def edit() -> None:
        with breakable.db.transaction() as session:
            session.execute(text("SELECT 1"))
            breakable.impose(mode)
            session.execute(text("SELECT 2"))

    with pytest.raises(exc.DBAPIError) as broken:
        edit()
    assert isinstance(failure_of(broken.value), Unavailable)


@pytest.mark.parametrize("mode", BREAKING)
def test_a_break_before_the_commit_is_a_passing_failure(
    breakable: BreakableDatabase, mode: Mode
) -> None:
    def edit() -> None:
        with breakable.db.transaction() as session:
            session.execute(text("SELECT 1"))
            breakable.impose(mode)

    with pytest.raises(exc.DBAPIError) as broken:
        edit()
    assert isinstance(failure_of(broken.value), Unavailable)


@pytest.mark.parametrize("mode", BREAKING)
def test_after_a_break_the_next_use_works_at_once(breakable: BreakableDatabase, mode: Mode) -> None:
    with breakable.db.step() as first, breakable.db.step() as second:
        pids = {c.execute(text("SELECT pg_backend_pid()")).scalar_one() for c in (first, second)}
    breakable.impose(mode)
    with pytest.raises(exc.DBAPIError):
        breakable.backend()
    breakable.mend()
    began = time.monotonic()
    assert breakable.backend() not in pids
    assert breakable.backend() not in pids
    assert time.monotonic() - began < IMPATIENT.ping_s


@pytest.mark.parametrize("mode", BREAKING)
def test_a_new_connection_over_a_broken_way_is_given_up_in_time(
    breakable: BreakableDatabase, mode: Mode
) -> None:
    breakable.impose(mode)
    began = time.monotonic()
    with pytest.raises(exc.DBAPIError) as broken:
        breakable.backend()
    assert isinstance(failure_of(broken.value), Unavailable)
    assert time.monotonic() - began < IMPATIENT.connect_s + 0.5


def test_connections_that_the_server_ended_while_nobody_used_them_cost_no_request(
    breakable: BreakableDatabase,
) -> None:
    with breakable.db.step(), breakable.db.step():
        pass
    for _ in range(3):
        breakable.terminate_backends()
        breakable.backend()


def test_a_connection_that_rested_is_tested_before_its_use(breakable: BreakableDatabase) -> None:
    pid = breakable.backend()
    breakable.impose(Mode.BLACK_HOLE)
    pooled = breakable.db.engine.raw_connection()
    pooled.info["used_at"] -= IDLE_SECONDS_BEFORE_PING + 1
    pooled.close()
    threading.Timer(IMPATIENT.ping_s / 2, breakable.mend).start()
    began = time.monotonic()
    assert breakable.backend() != pid
    assert time.monotonic() - began < IMPATIENT.ping_s + IMPATIENT.connect_s


def test_a_statement_is_ended_by_the_server_before_we_give_the_connection_up(
    breakable: BreakableDatabase,
) -> None:
    pid = breakable.backend()
    with pytest.raises(exc.DBAPIError) as ended, breakable.db.step() as connection:
        connection.execute(text("SELECT pg_sleep(5)"))
    assert isinstance(failure_of(ended.value), Unavailable)
    assert breakable.backend() == pid


def test_when_every_connection_is_in_use_a_caller_hears_so_soon(
    breakable: BreakableDatabase,
) -> None:
    with breakable.db.step(), breakable.db.step(), breakable.db.step():
        began = time.monotonic()
        with pytest.raises(exc.TimeoutError) as full:
            breakable.backend()
        assert time.monotonic() - began < 1
    assert isinstance(failure_of(full.value), Unavailable)
    breakable.backend()


def test_a_black_hole_never_holds_a_crowd_longer_than_one_answer(
    breakable: BreakableDatabase,
) -> None:
    breakable.backend()
    breakable.impose(Mode.BLACK_HOLE)
    failures: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        with pytest.raises(exc.SQLAlchemyError):
            breakable.backend()
        failures.append(time.monotonic() - began)

    crowd = [threading.Thread(target=ask) for _ in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(failures) == 8
    assert max(failures) < IMPATIENT.answer_s + IMPATIENT.connect_s + 1
    breakable.mend()
    breakable.backend()
