"""The arithmetic of a shared price."""

from hypothesis import given
from hypothesis import strategies as st

from common.credits.service import MICRO_CREDITS, split, whole_credits

prices = st.integers(min_value=1, max_value=10_000)
rates = st.integers(min_value=0, max_value=10_000)


@given(price=prices, rate=rates)
def test_the_parts_always_sum_to_the_price(price: int, rate: int) -> None:
    share = split(price, rate)
    assert share.developer + share.fee == share.price == price * MICRO_CREDITS
    assert share.developer >= 0
    assert share.fee >= 0


@given(price=prices, rate=rates)
def test_the_developer_never_gets_less_than_the_exact_share(price: int, rate: int) -> None:
    exact = price * MICRO_CREDITS * (10_000 - rate)
    assert 0 <= split(price, rate).developer * 10_000 - exact < 10_000


@given(price=prices)
def test_seventy_and_thirty_are_exact_for_every_price(price: int) -> None:
    share = split(price, 3_000)
    assert share.developer * 3 == share.fee * 7


@given(price=prices, more=st.integers(min_value=0, max_value=10_000), rate=rates)
def test_a_higher_price_brings_nobody_less(price: int, more: int, rate: int) -> None:
    low, high = split(price, rate), split(price + more, rate)
    assert high.developer >= low.developer
    assert high.fee >= low.fee


@given(price=prices, rates_=st.tuples(rates, rates))
def test_a_higher_rate_never_brings_the_platform_less(price: int, rates_: tuple[int, int]) -> None:
    low, high = sorted(rates_)
    assert split(price, low).fee <= split(price, high).fee


@given(amount=st.integers(min_value=0, max_value=10**15))
def test_nobody_is_shown_credits_that_are_not_there(amount: int) -> None:
    shown = whole_credits(amount)
    assert shown * MICRO_CREDITS <= amount < (shown + 1) * MICRO_CREDITS
