"""Public answers are given out again for a little while, and never for longer."""

from collections.abc import Callable

import pytest

from common.errors import ModelNotFound
from common.http.kept import Kept


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def counting() -> Callable[[], dict[str, int]]:
    """Each call answers the next number."""
    made: list[int] = []

    def make() -> dict[str, int]:
        made.append(len(made))
        return {"n": made[-1]}

    return make


def test_an_answer_is_made_once_until_it_is_too_old() -> None:
    clock, make = Clock(), counting()
    kept = Kept(10, clock)
    first = kept.answer("a", make, seconds=1)
    clock.now += 0.9
    assert kept.answer("a", make, seconds=1) is first
    clock.now += 0.1
    assert kept.answer("a", make, seconds=1).content == b'{"success":true,"data":{"n":1}}'


def test_what_is_never_to_be_old_is_made_each_time() -> None:
    make, kept = counting(), Kept(10, Clock())
    answers = {kept.answer("a", make, seconds=0).content for _ in range(3)}
    assert len(answers) == 3


def test_each_question_has_its_own_answer() -> None:
    make, kept = counting(), Kept(10, Clock())
    assert kept.answer("a", make, seconds=1) != kept.answer("b", make, seconds=1)


def test_what_was_made_longest_ago_makes_room() -> None:
    make, kept = counting(), Kept(2, Clock())
    first = kept.answer("a", make, seconds=1)
    second = kept.answer("b", make, seconds=1)
    kept.answer("c", make, seconds=1)
    assert kept.answer("b", make, seconds=1) is second
    assert kept.answer("a", make, seconds=1) != first


def test_an_error_is_raised_and_not_kept() -> None:
    make, kept = counting(), Kept(10, Clock())

    def fail() -> None:
        raise ModelNotFound

    with pytest.raises(ModelNotFound):
        kept.answer("a", fail, seconds=1)
    assert kept.answer("a", make, seconds=1).content.endswith(b'{"n":0}}')
