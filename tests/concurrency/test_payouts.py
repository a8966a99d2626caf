"""Real money from two sides at once: paid, given back, taken back and paid out exactly once."""

import threading
import uuid
from functools import partial

import pytest
from sqlalchemy import Connection, text

from tests.concurrency.money import Money
from tests.concurrency.racing import Act, both_orders, race
from tests.factories import Offer, make_consumer, make_offer
from tests.steps import Steps

ROUNDS = 8
CLEARED = 8 * 86_400


@pytest.fixture
def money(steps: Steps) -> Money:
    return Money(steps)


@pytest.fixture
def dear(steps: Steps, money: Money) -> Offer:
    """A model of which one run earns 7,000 cents, by a developer who can be paid."""
    offer = make_offer(steps.db, price_credits=10_000)
    money.connect(offer.developer_id)
    return offer


def earn(steps: Steps, offer: Offer) -> uuid.UUID:
    """A completed run of somebody new."""
    consumer = make_consumer(steps.db, credits_=offer.price_credits)
    run, attempt = steps.running(offer, consumer)
    assert steps.observe(attempt, "COMPLETED").effect == "completed"
    return run


def test_of_payouts_of_all_that_is_due_one_is_made(steps: Steps, money: Money, dear: Offer) -> None:
    earn(steps, dear)
    steps.wait(CLEARED)
    results = race(*[partial(money.request, dear.developer_id)] * 8)
    assert results.count("P0452") == 7
    assert money.standing("developer_payable", dear.developer_id) == (7_000, 7_000)


def test_payouts_of_a_part_never_sum_to_more_than_is_due(
    steps: Steps, money: Money, dear: Offer
) -> None:
    for _ in range(3):
        earn(steps, dear)
    steps.wait(CLEARED)
    results = race(*[partial(money.request, dear.developer_id, 5_000)] * 8)
    assert results.count("P0411") == 4
    assert money.standing("developer_payable", dear.developer_id) == (21_000, 20_000)


def test_one_key_from_many_threads_is_one_payout(steps: Steps, money: Money, dear: Offer) -> None:
    earn(steps, dear)
    steps.wait(CLEARED)
    results = race(*[partial(money.request, dear.developer_id, 6_000, "k")] * 8)
    assert len(set(results)) == 1
    assert money.standing("developer_payable", dear.developer_id) == (7_000, 6_000)


def test_a_run_that_ends_while_a_payout_is_reckoned_is_not_paid_before_it_has_cleared(
    steps: Steps, money: Money, dear: Offer, owner: Connection
) -> None:
    """The payout waits for a fold and for the account, as it may at any time; then the run ends.

    Once, what had not cleared was read before the wait and what was owed after it.
    """
    earn(steps, dear)
    steps.wait(CLEARED)
    money.sent(money.request(dear.developer_id))
    locks = (
        "SELECT pg_advisory_xact_lock(7310001) FROM ledger.account_state s"
        " JOIN ledger.account a ON a.id = s.account_id WHERE a.owner_id = :owner FOR UPDATE OF s"
    )
    answers: list[object] = []
    payout = threading.Thread(
        target=lambda: answers.extend(race(partial(money.request, dear.developer_id)))
    )
    owner.execute(text("BEGIN"))
    owner.execute(text(locks), {"owner": dear.developer_id})
    payout.start()
    payout.join(0.3)
    earn(steps, dear)
    owner.execute(text("COMMIT"))
    payout.join()
    assert answers == ["P0452"]


def test_a_payout_against_the_refund_of_its_run_leaves_a_debt_or_is_refused(
    steps: Steps, money: Money, dear: Offer
) -> None:
    for number in range(ROUNDS):
        offer = make_offer(steps.db, price_credits=10_000)
        money.connect(offer.developer_id)
        run = earn(steps, offer)
        steps.wait(CLEARED)
        acts: list[Act] = [
            partial(money.request, offer.developer_id),
            partial(money.refund_run, run),
        ]
        results = race(*both_orders(acts, number))
        held = 0 if "P0452" in results else 7_000
        assert money.standing("developer_payable", offer.developer_id) == (0, held)
        for payout in results:
            if isinstance(payout, uuid.UUID):
                assert money.sent(payout) == "sent"
                assert money.standing("developer_payable", offer.developer_id) == (-7_000, 0)


def test_a_payout_that_was_sent_against_one_that_failed_ends_once(
    steps: Steps, money: Money, dear: Offer
) -> None:
    for number in range(ROUNDS):
        earn(steps, dear)
        steps.wait(CLEARED)
        payout = money.request(dear.developer_id)
        assert sorted(race(*[partial(money.begin, payout)] * 4)) == [False] * 3 + [True]
        acts: list[Act] = [partial(money.sent, payout), partial(money.failed, payout)]
        results = race(*both_orders(acts, number))
        assert sorted(results) in (["ended", "sent"], ["ended", "failed"])
        assert money.standing("developer_payable", dear.developer_id)[1] == 0


def test_a_payout_that_comes_back_is_due_once(steps: Steps, money: Money, dear: Offer) -> None:
    earn(steps, dear)
    steps.wait(CLEARED)
    payout = money.request(dear.developer_id)
    money.sent(payout)
    results = race(*[partial(money.returned, payout, 7_000)] * 6)
    assert sorted(results) == ["nothing"] * 5 + ["returned"]
    assert money.standing("developer_payable", dear.developer_id) == (7_000, 0)


@pytest.mark.parametrize("event", [None, "evt_1"])
def test_a_payment_heard_of_from_many_sides_is_booked_once(
    steps: Steps, money: Money, event: str | None
) -> None:
    consumer = make_consumer(steps.db)
    order = money.paid_at_stripe(consumer, 500)
    results = race(*[partial(money.hear, order, event)] * 8)
    later = "duplicate" if event else "nothing"
    assert sorted(results) == sorted([later] * 7 + ["paid,fee"])
    assert steps.credits_of(consumer) == (500, 0)


@pytest.mark.parametrize(("seen", "owed"), [("COMPLETED", 10), ("TIMED_OUT", 0)])
def test_a_dispute_against_the_end_of_a_run_takes_what_is_there_and_the_rest_is_owed(
    steps: Steps, money: Money, offer: Offer, seen: str, owed: int
) -> None:
    for number in range(ROUNDS):
        consumer = make_consumer(steps.db)
        order = money.bought(consumer, 20)
        _, attempt = steps.running(offer, consumer)
        money.withdraw(order, 20)
        acts: list[Act] = [partial(money.hear, order), partial(steps.observe, attempt, seen)]
        race(*both_orders(acts, number))
        assert steps.credits_of(consumer) == (0, 0)
        assert money.standing("receivable", consumer) == (-owed, 0)


def test_a_refund_against_a_start_on_the_last_credits_is_one_of_them(
    steps: Steps, money: Money, offer: Offer
) -> None:
    for number in range(ROUNDS):
        consumer = make_consumer(steps.db)
        order = money.bought(consumer, 10)
        acts: list[Act] = [
            partial(money.refund, order, 10),
            partial(steps.start, offer, consumer),
        ]
        results = race(*both_orders(acts, number))
        assert results.count("P0402") == 1
        refunded = True in results
        assert steps.credits_of(consumer) == (0, 0 if refunded else 10)


def test_refunds_of_one_purchase_at_once_never_give_back_more_than_was_paid(
    steps: Steps, money: Money
) -> None:
    consumer = make_consumer(steps.db, credits_=1_000)
    order = money.bought(consumer, 100)
    results = race(*[partial(money.refund, order, 40)] * 8)
    assert sorted(map(str, results)) == ["P0411"] * 6 + ["True"] * 2
    assert steps.credits_of(consumer) == (1_020, 0)


def test_a_refund_asked_for_by_many_under_one_reference_is_one(steps: Steps, money: Money) -> None:
    consumer = make_consumer(steps.db, credits_=1_000)
    order, reference = money.bought(consumer, 100), uuid.uuid4()
    results = race(*[partial(money.refund, order, 40, reference)] * 8)
    assert sorted(results) == [False] * 7 + [True]
    assert steps.credits_of(consumer) == (1_060, 0)


def test_a_run_that_many_give_back_at_once_is_given_back_once(
    steps: Steps, money: Money, offer: Offer, consumer: uuid.UUID
) -> None:
    run, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "COMPLETED")
    assert sorted(race(*[partial(money.refund_run, run)] * 8)) == [False] * 7 + [True]
    assert steps.credits_of(consumer) == (70, 0)
    assert steps.earned(offer.developer_id) == 0
