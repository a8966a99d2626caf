"""Two ends of one run at the same moment: whoever commits first decides, the other is late."""

import uuid
from functools import partial

from sqlalchemy import text

from common.credits import queries as credits_queries
from tests.concurrency.racing import Act, both_orders, race
from tests.factories import Offer, make_consumer, make_offer
from tests.steps import Steps

ROUNDS = 12


def rich(steps: Steps, runs: int) -> uuid.UUID:
    return make_consumer(steps.db, credits_=10 * runs)


def test_a_callback_against_a_poll_pays_once(steps: Steps, offer: Offer) -> None:
    consumer = rich(steps, ROUNDS)
    for number in range(ROUNDS):
        execution, attempt = steps.running(offer, consumer)
        acts = [
            partial(steps.observe, attempt, "COMPLETED", source=source)
            for source in ("callback", "poll")
        ]
        effects = [seen.effect for seen in race(*both_orders(acts, number))]
        assert sorted(effects) == ["completed", "late"]
        assert steps.announced(execution) == ["COMPLETED"]
    assert steps.earned(offer.developer_id) == 7 * ROUNDS


def test_a_completion_against_a_cancelled_job_ends_once_and_money_follows(
    steps: Steps, offer: Offer
) -> None:
    consumer, paid = rich(steps, ROUNDS), 0
    for number in range(ROUNDS):
        execution, attempt = steps.running(offer, consumer)
        steps.cancel(execution, consumer)
        acts = [partial(steps.observe, attempt, seen) for seen in ("COMPLETED", "CANCELLED")]
        effects = {seen.effect for seen in race(*both_orders(acts, number))}
        assert effects in ({"completed", "late"}, {"cancelled", "late"})
        paid += "completed" in effects
    assert steps.credits_of(consumer) == (10 * (ROUNDS - paid), 0)


def test_a_completion_against_the_wish_to_cancel_is_paid(steps: Steps, offer: Offer) -> None:
    consumer = rich(steps, ROUNDS)
    for number in range(ROUNDS):
        execution, attempt = steps.running(offer, consumer)
        acts: list[Act] = [
            partial(steps.observe, attempt, "COMPLETED"),
            partial(steps.cancel, execution, consumer),
        ]
        race(*both_orders(acts, number))
        assert steps.execution(execution).status == "COMPLETED"
    assert steps.credits_of(consumer) == (0, 0)


def test_a_cancel_against_an_attempt_leaves_no_job_unwatched(steps: Steps, offer: Offer) -> None:
    consumer = rich(steps, ROUNDS)
    for number in range(ROUNDS):
        execution = steps.start(offer, consumer)
        acts: list[Act] = [
            partial(steps.try_to_begin, execution),
            partial(steps.cancel, execution, consumer),
        ]
        results = race(*both_orders(acts, number))
        attempt = next((one for one in results if isinstance(one, uuid.UUID)), None)
        assert ("requested" if attempt else "cancelled") in results
        if attempt:
            assert steps.rejected(attempt) == "cancelled"
    assert steps.credits_of(consumer) == (10 * ROUNDS, 0)


def test_a_completion_against_the_end_of_life_ends_once(steps: Steps, offer: Offer) -> None:
    consumer = rich(steps, ROUNDS)
    started = steps.now
    for number in range(ROUNDS):
        steps.now = started
        execution, attempt = steps.running(offer, consumer)
        steps.now = steps.execution(execution).expires_at
        race(
            *both_orders(
                [partial(steps.observe, attempt, "COMPLETED"), partial(steps.tick, execution)],
                number,
            )
        )
        assert len(steps.announced(execution)) == 1


def test_an_orphan_against_the_newer_attempt_pays_once(steps: Steps, offer: Offer) -> None:
    consumer = rich(steps, ROUNDS)
    for number in range(ROUNDS):
        execution = steps.start(offer, consumer)
        orphan = steps.begin(execution)
        steps.wait(90)
        steps.tick(execution)
        newer = steps.begin(execution)
        acts = [partial(steps.observe, one, "COMPLETED") for one in (orphan, newer)]
        effects = sorted(seen.effect for seen in race(*both_orders(acts, number)))
        assert effects == ["completed", "late"]
    assert steps.earned(offer.developer_id) == 7 * ROUNDS


def test_the_answer_to_a_submit_against_its_callback_adopts_one_job(
    steps: Steps, offer: Offer
) -> None:
    consumer = rich(steps, ROUNDS)
    for number in range(ROUNDS):
        attempt = steps.begin(steps.start(offer, consumer))
        job = steps.job(attempt)
        acts: list[Act] = [
            partial(steps.submitted, attempt, job),
            partial(steps.observe, attempt, "COMPLETED", job=job, source="callback"),
        ]
        race(*both_orders(acts, number))
        assert (steps.attempt(attempt).state, steps.attempt(attempt).job_id) == ("completed", job)
    assert steps.earned(offer.developer_id) == 7 * ROUNDS


def test_runs_of_one_developer_are_paid_exactly_while_balances_are_folded(
    steps: Steps,
) -> None:
    """Sixteen consumers, one developer who has no account yet, and two folds at all times."""
    offer = make_offer(steps.db)
    attempts = []
    for _ in range(4):
        consumer = rich(steps, 16)
        attempts += [steps.running(offer, consumer)[1] for _ in range(16)]

    def settle(mine: list[uuid.UUID]) -> list[str]:
        return [steps.observe(attempt, "COMPLETED").effect for attempt in mine]

    def fold() -> int:
        folded = 0
        for _ in range(12):
            with steps.db.step() as connection:
                folded += credits_queries.fold(connection)
        return folded

    groups = [partial(settle, attempts[number::16]) for number in range(16)]
    results = race(*groups, fold, fold)
    assert [effect for effects in results[:16] for effect in effects] == ["completed"] * 64
    assert steps.earned(offer.developer_id) == 7 * 64
    with steps.db.step() as connection:
        left = credits_queries.fold(connection)
        assert connection.scalar(text("SELECT count(*) FROM ledger.delta")) == 0
    assert sum(results[16:]) + left == 64 * 2 + 4  # two shares a run, one promotion a grant
    assert steps.earned(offer.developer_id) == 7 * 64


def test_one_wallet_that_starts_and_settles_at_once_stays_exact(steps: Steps, offer: Offer) -> None:
    consumer = rich(steps, 24)
    attempts = [steps.running(offer, consumer)[1] for _ in range(12)]
    results = race(
        *[partial(steps.observe, attempt, "COMPLETED") for attempt in attempts[:6]],
        *[partial(steps.observe, attempt, "TIMED_OUT") for attempt in attempts[6:]],
        *[partial(steps.start, offer, consumer)] * 12,
    )
    assert [seen.effect for seen in results[:12]] == ["completed"] * 6 + ["timed_out"] * 6
    assert all(isinstance(result, uuid.UUID) for result in results[12:])
    assert steps.credits_of(consumer) == (60, 120)
