"""The books as staff see them."""

from tests.functions.callers import People


def test_staff_see_every_invariant_and_that_none_is_broken(people: People) -> None:
    shown = people.staff().ok("GET", "/audit")
    assert shown["violations"] == 0
    assert [each["code"] for each in shown["invariants"]] == [f"I{n}" for n in range(1, 12)]
    assert all(each["violations"] == 0 and each["promise"] for each in shown["invariants"])
