"""Turns: how many of a consumer's runs go on at once, and who is next."""

import uuid

from sqlalchemy import text

from common.executions import queries
from tests import factories
from tests.steps import Steps

PLACES, WAITING = 3, 5


def crowd(steps: Steps) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """Attempts that take all places, and the runs that wait, oldest first."""
    with steps.db.step() as connection:
        connection.execute(text("UPDATE consumer_limits SET concurrent_runs = :n"), {"n": PLACES})
    consumer, offer = (
        factories.make_consumer(steps.db, credits_=1000),
        factories.make_offer(steps.db),
    )
    going_on = [steps.running(offer, consumer)[1] for _ in range(PLACES)]
    waiting = []
    for _ in range(WAITING):
        steps.wait(1)
        waiting.append(steps.start(offer, consumer))
    assert [steps.try_to_begin(run) for run in waiting] == [None] * WAITING
    return going_on, waiting


def test_free_places_are_all_taken_by_the_oldest_in_whatever_order_they_are_asked(
    steps: Steps,
) -> None:
    going_on, waiting = crowd(steps)
    for attempt in going_on:
        steps.observe(attempt, "COMPLETED")
    steps.wait(61)
    begun = [run for run in reversed(waiting) if steps.try_to_begin(run)]
    assert begun == list(reversed(waiting[:PLACES]))


def test_an_end_calls_as_many_as_there_is_room_for_so_none_is_lost(steps: Steps) -> None:
    going_on, waiting = crowd(steps)
    for attempt in going_on:
        steps.observe(attempt, "COMPLETED")
    called = aftermath(steps, going_on[-1])
    assert called == waiting[:PLACES]
    assert all(steps.try_to_begin(run) for run in called)


def test_of_two_ends_each_calls_another_one(steps: Steps) -> None:
    going_on, waiting = crowd(steps)
    steps.observe(going_on[0], "COMPLETED")
    first = aftermath(steps, going_on[0])
    steps.observe(going_on[1], "COMPLETED")
    second = aftermath(steps, going_on[1])
    assert first == waiting[:1]
    assert waiting[1] in second
    assert not set(first) & set(second)


def aftermath(steps: Steps, attempt: uuid.UUID) -> list[uuid.UUID]:
    """Whom the end of an attempt's run calls, oldest first."""
    run = steps.attempt(attempt).execution_id
    with steps.db.step() as connection:
        followed = queries.aftermath(connection, run, steps.now)
    called = {uuid.UUID(ref) for what, ref in followed if what == "submit"}
    with steps.db.step() as connection:
        order = connection.scalars(text("SELECT id FROM executions ORDER BY created_at, id"))
        return [run for run in order if run in called]
