"""Lines of Stripe's books that no row of ours explains: booked once, so that clearing agrees."""

import pytest
from sqlalchemy import Connection, text

from common.payments import queries
from tests.books import owner
from tests.factories import NOW

__all__ = ["owner"]
CLEARING = text(
    "SELECT coalesce(sum(posted), 0) FROM ledger.balance WHERE kind = 'stripe_clearing'"
)
CENT = 10_000  # micro-dollars


def line(kind: str, cents: int) -> dict[str, object]:
    return {
        "id": f"txn_{kind}",
        "type": kind,
        "source": None,
        "netCents": cents,
        "currency": "usd",
        "createdAt": NOW.isoformat(),
    }


@pytest.mark.parametrize(
    ("kind", "cents"),
    [
        ("payout", -50_000),
        ("topup", 20_000),
        ("stripe_fee", -200),
        ("reserve_transaction", -700),
        ("a_kind_of_next_year", 300),
    ],
)
def test_what_stripe_moves_for_the_platform_itself_is_booked_to_the_treasury_once(
    owner: Connection, kind: str, cents: int
) -> None:
    for expected in (1, 0):
        assert queries.keep_transactions(owner, [line(kind, cents)], NOW) == expected
    assert owner.scalar(CLEARING) == -cents * CENT
    assert queries.differing_sources(owner, NOW) == []


def test_a_line_about_a_payment_is_for_our_own_rows_to_explain(owner: Connection) -> None:
    stray = {**line("charge", 970), "source": "ch_of_nobody"}
    queries.keep_transactions(owner, [stray], NOW)
    assert owner.scalar(CLEARING) == 0
    differing = [tuple(row) for row in queries.differing_sources(owner, NOW)]
    assert differing == [("ch_of_nobody", "usd", 0, 970)]


@pytest.mark.parametrize("kind", ["charge", "topup", "a_kind_of_next_year"])
def test_another_currency_is_never_added_to_dollars(owner: Connection, kind: str) -> None:
    dollars = {**line("charge", 970), "source": "po_1"}
    euros = {**line(kind, 500), "id": "txn_euros", "source": "po_1", "currency": "eur"}
    assert queries.keep_transactions(owner, [dollars, euros], NOW) == 2
    assert owner.scalar(CLEARING) == 0
    differing = [tuple(row) for row in queries.differing_sources(owner, NOW)]
    assert differing == [("po_1", "eur", 0, 500), ("po_1", "usd", 0, 970)]
