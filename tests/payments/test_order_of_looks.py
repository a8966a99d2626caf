"""Stripe may be looked at twice at once: the older look may be booked after the newer one."""

import copy
import uuid

import pytest

from common.db import Database
from tests.concurrency.money import Money
from tests.factories import make_consumer
from tests.payments.played_stripe import LONG_AGO
from tests.steps import Steps, violations


@pytest.fixture
def money(db: Database) -> Money:
    return Money(Steps(db))


def test_a_refund_known_to_have_failed_takes_no_credits_when_an_older_look_comes_late(
    money: Money,
) -> None:
    consumer = make_consumer(money.steps.db)
    order = money.bought(consumer, 500)
    money.stripe.refund(order, 200)
    older = copy.deepcopy(money.stripe.facts[order])
    money.stripe.fail_refund(order, money.stripe.facts[order]["refunds"][0])
    assert money.hear(order) == "nothing"
    money.stripe.facts[order] = older
    assert money.hear(order) == "nothing"
    assert money.steps.credits_of(consumer) == (500, 0)


def test_a_bank_that_takes_another_amount_than_it_announced_gives_that_amount_back(
    money: Money,
) -> None:
    consumer = make_consumer(money.steps.db)
    order = money.bought(consumer, 500)
    money.stripe.dispute(order, 500)
    assert money.hear(order) == "disputed"
    dispute = money.stripe.facts[order]["disputes"][0]
    money.stripe.withdraw(order, dispute, cents=480, fee=15)
    assert money.hear(order) == "withdrawn"
    assert money.steps.credits_of(consumer) == (20, 0)
    line = {"id": "txn_1", "type": "adjustment", "source": dispute["id"], "netCents": -495}
    money.keep([line | {"currency": "usd", "createdAt": LONG_AGO}])
    assert violations(money.steps.db) == []
    money.stripe.judge(order, dispute, won=True, fee_back=15)
    assert money.hear(order) == "won"
    assert money.steps.credits_of(consumer) == (500, 0)


def test_an_inquiry_that_was_closed_and_became_a_dispute_after_all_freezes_the_wallet_again(
    money: Money,
) -> None:
    consumer = make_consumer(money.steps.db)
    order = money.bought(consumer, 500)
    money.stripe.dispute(order, 500)
    inquiry = money.stripe.facts[order]["disputes"][0]
    inquiry["status"] = "warning_needs_response"
    assert money.hear(order) == "disputed"
    assert money.steps.wallet(consumer).frozen
    inquiry["status"] = "warning_closed"
    assert money.hear(order) == "won"
    assert not money.steps.wallet(consumer).frozen
    assert money.steps.credits_of(consumer) == (500, 0)

    money.stripe.withdraw(order, inquiry, cents=500, fee=15)
    assert money.hear(order) == "withdrawn"
    assert money.steps.wallet(consumer).frozen
    assert money.steps.credits_of(consumer) == (0, 0)
    money.stripe.judge(order, inquiry, won=True, fee_back=0)
    assert money.hear(order) == "won"
    assert not money.steps.wallet(consumer).frozen
    assert money.steps.credits_of(consumer) == (500, 0)
    assert violations(money.steps.db) == []


def test_a_refund_given_up_and_made_all_the_same_gives_the_credits_back_when_it_fails_at_last(
    money: Money,
) -> None:
    consumer, refund = make_consumer(money.steps.db), uuid.uuid4()
    order = money.bought(consumer, 500)
    assert money.refund(order, 200, refund)
    money.give_up(refund)
    assert money.steps.credits_of(consumer) == (500, 0)
    money.stripe.refund(order, 200, refund)
    assert money.hear(order) == "refunded"
    assert money.steps.credits_of(consumer) == (300, 0)
    money.stripe.fail_refund(order, money.stripe.facts[order]["refunds"][0])
    assert money.hear(order) == "refund failed"
    assert money.steps.credits_of(consumer) == (500, 0)
    assert violations(money.steps.db) == []
