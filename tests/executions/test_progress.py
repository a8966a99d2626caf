"""What a worker reports while it runs becomes a number of percent, or nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.executions.progress import percent_of
from common.gateways.runpod_report import MISSING


@pytest.mark.parametrize(
    "told", [42, 42.9, 0.42, "42 %", "42.9%", {"progress": 42}, {"percent": "42%"}]
)
def test_every_usual_way_to_say_it_is_understood(told: Any) -> None:
    assert percent_of(told) == 42


@pytest.mark.parametrize(
    "told",
    [
        *(MISSING, None, True, "42", "step 4 of 9", "half", [42], {}, {"status": "42%"}),
        *(-1, 101, 1e300, float("nan"), "999%", {"progress": {"progress": 42}}, {"progress": None}),
    ],
)
def test_what_is_no_clear_number_of_percent_says_nothing(told: Any) -> None:
    assert percent_of(told) is None


@pytest.mark.parametrize(("told", "percent"), [(0, 0), (1, 1), (1.0, 100), (100, 100), (0.0, 0)])
def test_a_number_with_a_point_up_to_one_is_a_fraction(told: float, percent: int) -> None:
    assert percent_of(told) == percent


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["progress", "x"]), inner),
)


@given(_JSON)
def test_no_report_is_more_than_a_whole_number_from_0_to_100(told: Any) -> None:
    assert percent_of(told) in {None, *range(101)}
    assert percent_of(json.loads(json.dumps(told))) in {None, *range(101)}
