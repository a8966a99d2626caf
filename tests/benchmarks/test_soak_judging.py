"""How a soak is judged: what grows is told apart from what only moves."""

import pytest

from infra.soaking.judging import (
    Change,
    Span,
    memory_changes,
    p99,
    replaced,
    start_change,
    windows,
)
from infra.soaking.memory import Held, Sample

MINUTES_20 = 1200.0
SPANS = windows(MINUTES_20)


def samples(*, start: float, per_minute: float, name: str = "callback") -> list[Sample]:
    """A sample every 5 s of a part that grows steadily, MB."""
    return [
        Sample(at, {name: Held(start + per_minute * at / 60, 200.0, (1, 2))})
        for at in range(0, int(MINUTES_20), 5)
    ]


def starts(*, first_ms: float, last_ms: float) -> list[tuple[float, float]]:
    """10 a second, of which every 50th is slow; its ms move from the first to the last."""
    return [
        (at / 10, first_ms + (last_ms - first_ms) * at / 12_000 if at % 50 == 0 else 20.0)
        for at in range(12_000)
    ]


def test_the_first_window_leaves_the_warm_up_out_and_the_last_one_ends_the_soak() -> None:
    first, last = SPANS
    assert (first, last) == (Span(180, 480), Span(900, 1200))
    assert [first.has(at) for at in (179.9, 180, 479.9, 480)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("per_minute", "missed"), [(0.0, False), (0.3, False), (0.5, True), (5.0, True), (-1.0, False)]
)
def test_a_heap_that_grows_by_more_than_5_percent_between_the_windows_is_not_flat(
    per_minute: float, missed: bool
) -> None:
    grown = samples(start=100, per_minute=per_minute)
    (change,) = memory_changes(grown, SPANS, judged={"callback"})
    assert change.missed is missed
    assert (change.percent > 0) is (per_minute > 0)


def test_growth_within_the_warm_up_and_a_passing_peak_are_not_held_against_a_process() -> None:
    filled = [Sample(at, {"tasks": Held(min(100.0, at), 0, (1,))}) for at in range(0, 1200, 5)]
    filled[-3] = Sample(filled[-3].at, {"tasks": Held(900.0, 0, (1,))})
    (change,) = memory_changes(filled, SPANS, judged={"tasks"})
    assert not change.missed
    assert (change.first, change.last) == (100.0, 100.0)


def test_a_part_that_is_not_ours_is_reported_and_not_judged() -> None:
    grown = samples(start=10, per_minute=10, name="runpod")
    (change,) = memory_changes(grown, SPANS, judged=())
    assert change.percent > 100
    assert not change.missed


def test_a_judged_part_that_was_never_seen_is_missed() -> None:
    changes = memory_changes(samples(start=1, per_minute=0), SPANS, judged={"callback", "admin"})
    assert {change.name: change.missed for change in changes} == {"admin": True, "callback": False}


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "missed"), [(100, 100, False), (100, 110, False), (100, 160, True)]
)
def test_a_p99_of_start_that_grows_by_more_than_15_percent_is_not_flat(
    first_ms: float, last_ms: float, missed: bool
) -> None:
    change = start_change(starts(first_ms=first_ms, last_ms=last_ms), SPANS)
    assert change.missed is missed
    assert change.first >= first_ms


def test_no_start_at_all_in_the_last_window_is_not_flat() -> None:
    early = [it for it in starts(first_ms=50, last_ms=50) if it[0] < 600]
    assert start_change(early, SPANS).missed


def test_the_p99_is_what_one_in_a_hundred_exceeds() -> None:
    assert p99([float(it) for it in range(1000)]) == 990.0
    assert Change("none", 0.0, 0.0, None).percent == 0.0


def test_a_function_that_was_started_anew_is_told() -> None:
    old = samples(start=100, per_minute=0)
    assert replaced(old, 180, judged={"callback"}) == []
    young = [*old[:-1], Sample(old[-1].at, {"callback": Held(50, 60, (1, 3))})]
    assert replaced(young, 180, judged={"callback"}) == ["callback"]
    assert replaced(young, 180, judged={"admin"}) == []
