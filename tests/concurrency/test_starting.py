"""Many requests at once on one wallet."""

import uuid
from functools import partial

from sqlalchemy import text

from common.credits import queries as credits_queries
from tests.concurrency.racing import race
from tests.factories import NOW, Offer, make_consumer, make_offer
from tests.steps import Steps


def test_two_hundred_starts_on_credits_for_seven_runs_start_exactly_seven(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    results = race(*[partial(steps.start, offer, consumer)] * 200)
    assert results.count("P0402") == 193
    started = {result for result in results if isinstance(result, uuid.UUID)}
    assert len(started) == 7
    assert steps.credits_of(consumer) == (0, 70)
    assert set(steps.claim(older_than=0)) == started


def test_sixteen_starts_with_one_key_are_one_run(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    results = race(*[partial(steps.started, offer, consumer, key="k")] * 16)
    assert len({result.execution_id for result in results}) == 1
    assert sorted(result.outcome for result in results) == ["replayed"] * 15 + ["started"]
    assert steps.credits_of(consumer) == (60, 10)


def test_one_key_for_sixteen_requests_starts_one_of_them(
    steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    results = race(
        *[
            partial(steps.started, offer, consumer, key="k", request=bytes([number]))
            for number in range(16)
        ]
    )
    assert results.count("P0422") == 15
    assert steps.credits_of(consumer) == (60, 10)


def test_the_last_credits_are_spent_once(steps: Steps, offer: Offer) -> None:
    for _ in range(10):
        poor = make_consumer(steps.db, credits_=10)
        results = race(*[partial(steps.start, offer, poor)] * 2)
        assert results.count("P0402") == 1
        assert steps.credits_of(poor) == (0, 10)


def test_a_run_refused_for_want_of_credits_leaves_its_key_to_the_next(
    steps: Steps, offer: Offer
) -> None:
    """Both wait for one key's row; the refused one must not take the key with it."""
    poor = make_consumer(steps.db, credits_=9)
    assert race(*[partial(steps.started, offer, poor, key="k")] * 8) == ["P0402"] * 8
    assert steps.credits_of(poor) == (9, 0)
    cheap = make_offer(steps.db, price_credits=9)
    assert steps.started(cheap, poor, key="k").outcome == "started"


def test_grants_with_one_reference_from_many_threads_count_once(
    steps: Steps, consumer: uuid.UUID
) -> None:
    newcomer, reference = make_consumer(steps.db), uuid.uuid4()

    def grant() -> bool:
        with steps.db.step() as connection:
            return credits_queries.grant(
                connection,
                ref=reference,
                consumer_id=newcomer,
                amount=5,
                actor="staff",
                reason="a test",
                now=NOW,
            )

    assert sorted(race(*[grant] * 16)) == [False] * 15 + [True]
    assert steps.wallet(newcomer).posted == 5


def test_a_wallet_that_many_open_at_once_is_one_wallet(steps: Steps) -> None:
    newcomer = make_consumer(steps.db)

    def grant() -> bool:
        with steps.db.step() as connection:
            return credits_queries.grant(
                connection,
                ref=uuid.uuid4(),
                consumer_id=newcomer,
                amount=5,
                actor="staff",
                reason="a test",
                now=NOW,
            )

    assert race(*[grant] * 16) == [True] * 16
    assert steps.wallet(newcomer).posted == 80
    with steps.db.step() as connection:
        wallets = text("SELECT count(*) FROM ledger.account WHERE owner_id = :owner")
        assert connection.scalar(wallets, {"owner": newcomer}) == 1


def test_tests_started_at_once_with_the_same_inputs_are_one(steps: Steps, offer: Offer) -> None:
    results = race(*[partial(steps.started_test, offer)] * 8)
    assert len({result.execution_id for result in results}) == 1


def test_the_quota_of_tests_holds_against_a_crowd(steps: Steps, offer: Offer) -> None:
    results = race(
        *[
            partial(steps.started_test, offer, fingerprint=bytes([number]), quota=3)
            for number in range(16)
        ]
    )
    assert results.count("P0429") == 13
