"""Values are given out again for a little while, and never for longer."""

import itertools
from collections.abc import Callable

import pytest

from common.kept import Kept


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def counting() -> Callable[[], int]:
    """Each call answers the next number."""
    numbers = itertools.count()
    return lambda: next(numbers)


def test_a_value_is_made_once_until_it_is_too_old() -> None:
    clock, make = Clock(), counting()
    kept = Kept[int](10, clock)
    assert kept.get("a", make, seconds=1) == 0
    clock.now += 0.9
    assert kept.get("a", make, seconds=1) == 0
    clock.now += 0.1
    assert kept.get("a", make, seconds=1) == 1


def test_a_value_is_as_old_as_the_question_it_answers() -> None:
    clock = Clock()
    kept = Kept[int](10, clock)

    def slowly() -> int:
        clock.now += 0.9
        return 1

    kept.get("a", slowly, seconds=1)
    clock.now += 0.1
    assert kept.get("a", lambda: 2, seconds=1) == 2


def test_what_is_never_to_be_old_is_made_each_time() -> None:
    make, kept = counting(), Kept[int](10, Clock())
    assert [kept.get("a", make, seconds=0) for _ in range(3)] == [0, 1, 2]


def test_each_key_has_its_own_value_until_it_is_forgotten() -> None:
    make, kept = counting(), Kept[int](10, Clock())
    assert [kept.get(key, make, seconds=1) for key in "abab"] == [0, 1, 0, 1]
    kept.forget("a")
    assert [kept.get(key, make, seconds=1) for key in "ab"] == [2, 1]


def test_what_was_made_longest_ago_makes_room() -> None:
    make, kept = counting(), Kept[int](2, Clock())
    assert [kept.get(key, make, seconds=1) for key in "abcba"] == [0, 1, 2, 1, 3]


def test_an_error_is_raised_and_not_kept() -> None:
    make, kept = counting(), Kept[int](10, Clock())

    def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        kept.get("a", fail, seconds=1)
    assert kept.get("a", make, seconds=1) == 0
