"""What limits callers: never more than the allowance, all processes together (GCRA)."""

import random
import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.db import Database
from common.errors import Unavailable
from common.settings import Settings
from common.traffic import queries
from common.traffic.service import PER_MINUTE, Traffic
from tests.factories import NOW
from tests.together import together


class Clock:
    """Time that only a test moves."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> "object":
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def gate(db: Database, clock: Clock, *, scale: float = 1) -> Traffic:
    """One process's gate."""
    return Traffic(db, Settings(rate_limit_scale=scale), clock)  # type: ignore[arg-type]


def admitted(traffic: Traffic, caller: str, times: int) -> int:
    """How many of so many requests in a row were let in."""
    answers = [traffic.admit("start", caller) for _ in range(times)]
    return sum(1 for each in answers if each is not None and each.allowed)


def test_a_minutes_worth_may_come_at_once_and_then_one_by_one(db: Database, clock: Clock) -> None:
    traffic, most = gate(db, clock), PER_MINUTE["start"]
    assert admitted(traffic, "alice", most + 5) == most
    refused = traffic.admit("start", "alice")
    assert refused is not None
    assert (refused.allowed, refused.remaining, refused.retry_after) == (False, 0, 1)
    clock.sleep(60 / most)
    assert admitted(traffic, "alice", 3) == 1
    clock.sleep(60)
    assert admitted(traffic, "alice", most + 5) == most


def test_callers_and_tiers_do_not_limit_each_other(db: Database, clock: Clock) -> None:
    traffic, most = gate(db, clock), PER_MINUTE["start"]
    assert admitted(traffic, "alice", most + 1) == most
    assert admitted(traffic, "bob", 1) == 1
    write = traffic.admit("write", "alice")
    assert write is not None
    assert write.allowed


def test_the_headers_say_what_is_left_and_until_when(db: Database, clock: Clock) -> None:
    traffic, most = gate(db, clock), PER_MINUTE["start"]
    allowance = traffic.admit("start", "alice")
    assert allowance is not None
    assert allowance.headers == {
        "RateLimit-Policy": f'"start";q={most};w=60',
        "RateLimit": f'"start";r={most - 1};t=1',
        "X-RateLimit-Limit": str(most),
        "X-RateLimit-Remaining": str(most - 1),
        "X-RateLimit-Reset": "1",
    }


def test_all_processes_together_let_in_no_more_than_one_would(db: Database, clock: Clock) -> None:
    most = PER_MINUTE["read"]
    processes = [gate(db, clock) for _ in range(4)]
    let_in = 0
    for number in range(most * 2):
        allowance = processes[number % 4].admit("read", "alice")
        let_in += allowance is not None and allowance.allowed
    assert most * 0.9 <= let_in <= most


def test_what_was_taken_ahead_is_lost_after_two_seconds(db: Database, clock: Clock) -> None:
    traffic = gate(db, clock)
    first = traffic.admit("read", "alice")
    clock.sleep(3)
    later = traffic.admit("read", "alice")
    assert first is not None
    assert later is not None
    assert later.remaining >= first.remaining - PER_MINUTE["read"] // 30


def test_at_once_from_many_threads_the_allowance_holds(db: Database, clock: Clock) -> None:
    traffic, most = gate(db, clock), PER_MINUTE["auth"]
    answers = together(most * 2, lambda _: admitted_once(traffic))
    assert sum(answers) == most


def admitted_once(traffic: Traffic) -> bool:
    allowance = traffic.admit("auth", "alice")
    return allowance is not None and allowance.allowed


def test_without_a_database_reads_go_on_and_what_moves_money_does_not(clock: Clock) -> None:
    away = Database(Settings(database_url="postgresql+pg8000://nobody@127.0.0.1:1/none"))
    traffic = gate(away, clock)
    assert traffic.admit("read", "alice") is None
    assert traffic.admit("public", "1.2.3.4") is None
    for tier in ("start", "write", "auth"):
        with pytest.raises(Unavailable):
            traffic.admit(tier, "alice")


def test_a_scale_of_nothing_limits_nothing(db: Database, clock: Clock) -> None:
    assert gate(db, clock, scale=0).admit("auth", "alice") is None


def test_allowances_that_are_whole_again_and_old_keys_are_forgotten(
    db: Database, clock: Clock
) -> None:
    traffic = gate(db, clock)
    traffic.admit("start", "alice")
    assert traffic.begin("alice", "key", b"hash") is None
    with db.step() as connection:
        queries.forget(connection, NOW)
        assert rows(db) == (1, 1)
        queries.forget(connection, NOW + timedelta(days=2))
    assert rows(db) == (0, 0)


def rows(db: Database) -> tuple[int, int]:
    with db.step() as connection:
        count = "SELECT count(*) FROM {}"
        limits, keys = (
            connection.exec_driver_sql(count.format(name)).scalar_one()
            for name in ("rate_limits", "request_keys")
        )
    return limits, keys


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**16))
def test_over_any_time_no_more_is_had_than_the_burst_and_what_grows_back(
    db: Database, seed: int
) -> None:
    """And no less either: whoever asks when something has grown back is let in."""
    rng, interval, burst = random.Random(seed), timedelta(seconds=0.5), 10
    key, now, free, granted, asked_at = str(uuid.uuid4()), NOW, float(burst), 0, NOW
    with db.step() as connection:
        for _ in range(60):
            now += timedelta(milliseconds=round(rng.expovariate(2) * 1000))
            free = min(burst, free + (now - asked_at) / interval)
            asked_at = now
            taken = queries.take(connection, key, interval=interval, burst=burst, cells=1, now=now)
            assert taken.granted == (1 if free >= 1 else 0)
            free -= taken.granted
            granted += taken.granted
    assert granted <= burst + (now - NOW) / interval
