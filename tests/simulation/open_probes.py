"""The guards of the open API, broken one by one: limits, keys, repeats, webhooks, suspensions.

Each probe asks for one promise; it holds with the guard and not without.
"""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common.db import Database
from common.events import queries as events
from common.executions import queries as executions
from common.keys import queries as keys
from common.payments import queries as payments
from common.traffic import queries as traffic
from common.webhooks import queries as webhooks
from tests import factories
from tests.factories import Offer
from tests.simulation.mutations import Change
from tests.simulation.probes import ProbedMutation
from tests.steps import Steps

TRAFFIC, KEYS, EVENTS, WEBHOOKS = "traffic", "keys", "events", "webhooks"
EXECUTIONS, PAYMENTS = "executions", "payments"


def limits_a_caller(steps: Steps) -> bool:
    """Of three requests on an allowance of two, two are let in."""
    with steps.db.step() as connection:
        minute = timedelta(minutes=1)
        granted = [
            traffic.take(connection, "k", interval=minute, burst=2, cells=1, now=steps.now).granted
            for _ in range(3)
        ]
    return granted == [1, 1, 0]


def works_on_a_request_once(steps: Steps) -> bool:
    """A repeat that comes while the first is worked on is not let in, nor one with another body."""
    with steps.db.step() as connection:
        outcomes = [
            traffic.begin(connection, "me", "key", request_hash=mark, now=steps.now).outcome
            for mark in (b"a", b"a", b"b")
        ]
    return outcomes == ["new", "running", "reused"]


def keeps_a_keys_limit(steps: Steps) -> bool:
    """A key for 15 credits starts one run of 10 and no second."""
    consumer, key = _with_key(steps, spend_limit=15_000_000)
    offer = factories.make_offer(steps.db, price_credits=10)
    return [_starts(steps, offer, consumer, api_key_id=str(key)) for _ in range(2)] == [True, False]


def gives_back_what_was_not_spent(steps: Steps) -> bool:
    """A run that failed leaves the key's allowance as it was."""
    consumer, key = _with_key(steps, spend_limit=15_000_000)
    offer = factories.make_offer(steps.db, price_credits=10)
    new = factories.run_terms(offer, consumer) | {"api_key_id": str(key)}
    with steps.db.step() as connection:
        run = executions.start(connection, new, key=None, request_hash=b"", now=steps.now)
    steps.cancel(run.execution_id, consumer)
    return _starts(steps, offer, consumer, api_key_id=str(key))


def starts_nothing_with_a_key_that_has_ended(steps: Steps) -> bool:
    consumer, key = _with_key(steps)
    _sql(steps.db, "UPDATE api_keys SET revoked_at = :now WHERE id = :id", id=key, now=steps.now)
    return not _starts(steps, factories.make_offer(steps.db), consumer, api_key_id=str(key))


def starts_nothing_for_the_suspended(steps: Steps) -> bool:
    consumer = factories.make_consumer(steps.db, credits_=100)
    _sql(steps.db, "UPDATE consumers SET suspended_at = now() WHERE id = :id", id=consumer)
    return not _starts(steps, factories.make_offer(steps.db), consumer)


def starts_nothing_of_a_suspended_developer(steps: Steps) -> bool:
    consumer, offer = (
        factories.make_consumer(steps.db, credits_=100),
        factories.make_offer(steps.db),
    )
    by = "UPDATE developers SET suspended_at = now() WHERE id = :id"
    _sql(steps.db, by, id=offer.developer_id)
    return not _starts(steps, offer, consumer)


def starts_nothing_of_a_suspended_model(steps: Steps) -> bool:
    consumer, offer = (
        factories.make_consumer(steps.db, credits_=100),
        factories.make_offer(steps.db),
    )
    by = "UPDATE tars_models SET suspended_at = now() WHERE id = :id"
    _sql(steps.db, by, id=offer.tars_model_id)
    return not _starts(steps, offer, consumer)


def pays_nobody_for_their_own_run(steps: Steps) -> bool:
    consumer, offer = (
        factories.make_consumer(steps.db, credits_=100),
        factories.make_offer(steps.db),
    )
    for table, owner in (("consumers", consumer), ("developers", offer.developer_id)):
        statement = f"UPDATE {table} SET email = :mail, email_verified = true WHERE id = :id"
        _sql(steps.db, statement, id=owner, mail=f"{consumer}@example.com")
    _, attempt = steps.running(offer, consumer)
    steps.observe(attempt, "COMPLETED")
    return steps.earned(offer.developer_id) == 0


def lets_consumers_take_turns(steps: Steps) -> bool:
    """With one run at a time the second waits until the first has ended."""
    _sql(steps.db, "UPDATE consumer_limits SET concurrent_runs = 1")
    consumer, offer = (
        factories.make_consumer(steps.db, credits_=100),
        factories.make_offer(steps.db),
    )
    _, attempt = steps.running(offer, consumer)
    second = steps.start(offer, consumer)
    waited = steps.try_to_begin(second) is None
    first = steps.observe(attempt, "COMPLETED")
    with steps.db.step() as connection:
        following = executions.aftermath(connection, _execution_of(steps, attempt), steps.now)
    began = steps.try_to_begin(second) is not None
    return waited and first.effect == "completed" and ("submit", str(second)) in following and began


def cancels_after_the_time(steps: Steps) -> bool:
    consumer, offer = (
        factories.make_consumer(steps.db, credits_=100),
        factories.make_offer(steps.db),
    )
    ends = (steps.now + timedelta(seconds=5)).isoformat()
    new = factories.run_terms(offer, consumer) | {"cancel_at": ends}
    with steps.db.step() as connection:
        run = executions.start(connection, new, key=None, request_hash=b"", now=steps.now)
    steps.wait(6)
    steps.tick(run.execution_id)
    return steps.execution(run.execution_id).status == "CANCELLED"


def misses_no_event(steps: Steps) -> bool:
    """An event that is written first and committed last is not passed over."""
    consumer = factories.make_consumer(steps.db)
    with steps.db.engine.connect() as slow:
        _event(slow, consumer, "first", steps)
        with steps.db.step() as connection:
            _event(connection, consumer, "second", steps)
        seen = _read(steps, consumer, events.Place(0, 0))
        slow.commit()
    place = events.Place(seen[-1].xid, seen[-1].id) if seen else events.Place(0, 0)
    later = _read(steps, consumer, place)
    return [row.type for row in [*seen, *later]] == ["first", "second"]


def delivers_in_order(steps: Steps) -> bool:
    """A run's second event waits for its first."""
    first, second = _deliveries(steps)
    with steps.db.step() as connection:
        return (
            webhooks.begin(connection, second, steps.now).action == "behind"
            and webhooks.begin(connection, first, steps.now).action == "send"
        )


def delivers_once_at_a_time(steps: Steps) -> bool:
    """Two tasks for one delivery: one sends, the other comes early."""
    first, _ = _deliveries(steps)
    with steps.db.step() as connection:
        actions = [webhooks.begin(connection, first, steps.now).action for _ in range(2)]
    return actions == ["send", "early"]


def tells_a_stopped_webhook_nothing(steps: Steps) -> bool:
    first, _ = _deliveries(steps)
    _sql(steps.db, "UPDATE webhook_endpoints SET disabled_at = now()")
    with steps.db.step() as connection:
        return webhooks.begin(connection, first, steps.now).action == "none"


def takes_a_stream_once(steps: Steps) -> bool:
    """Two readers of one run: one of them takes the pieces."""
    run = uuid.uuid4()
    with steps.db.step() as connection:
        leases = [
            executions.lease_stream(connection, run, uuid.uuid4(), steps.now) for _ in range(2)
        ]
    return leases == [True, False]


def slows_new_accounts_down(steps: Steps) -> bool:
    """An account of today buys for the day's limit and no more."""
    _sql(steps.db, "UPDATE consumer_limits SET new_account_cents_per_day = 1000")
    consumer = factories.make_consumer(steps.db)
    _sql(
        steps.db,
        "UPDATE consumers SET created_at = :now WHERE id = :id",
        id=consumer,
        now=steps.now,
    )
    return [_buys(steps, consumer, cents) for cents in (600, 600)] == [True, False]


def _with_key(steps: Steps, *, spend_limit: int | None = None) -> tuple[uuid.UUID, uuid.UUID]:
    consumer, key = factories.make_consumer(steps.db, credits_=100), uuid.uuid4()
    values: dict[str, Any] = {
        "id": key,
        "family_id": key,
        "consumer_id": consumer,
        "name": "a key",
        "hash": key.bytes,
        "last4": "last",
        "scopes": ["runs:write"],
        "created_at": steps.now,
        "spend_limit": spend_limit,
        "spend_period": "day" if spend_limit else None,
    }
    with steps.db.transaction() as session:
        keys.add(session, values)
    return consumer, key


def _starts(steps: Steps, offer: Offer, consumer: uuid.UUID, **more: Any) -> bool:
    new = factories.run_terms(offer, consumer) | more
    return _accepted(
        steps.db,
        lambda connection: executions.start(
            connection, new, key=None, request_hash=b"", now=steps.now
        ),
    )


def _buys(steps: Steps, consumer: uuid.UUID, cents: int) -> bool:
    return _accepted(
        steps.db,
        lambda connection: payments.open_purchase(
            connection,
            purchase_id=uuid.uuid4(),
            consumer_id=consumer,
            cents=cents,
            key=None,
            now=steps.now,
        ),
    )


def _accepted(db: Database, act: Callable[[Any], Any]) -> bool:
    try:
        with db.step() as connection:
            act(connection)
    except DBAPIError:
        return False
    return True


def _execution_of(steps: Steps, attempt: uuid.UUID) -> uuid.UUID:
    return steps.attempt(attempt).execution_id


def _event(connection: Any, consumer: uuid.UUID, kind: str, steps: Steps) -> None:
    events.add(
        connection, kind="consumer", owner_id=consumer, event_type=kind, data={}, now=steps.now
    )


def _read(steps: Steps, consumer: uuid.UUID, place: events.Place) -> list[Any]:
    with steps.db.transaction() as session:
        return list(events.after(session, "consumer", consumer, place=place, limit=10))


def _deliveries(steps: Steps) -> list[int]:
    """The two deliveries of a run that started and completed, to one webhook."""
    consumer = factories.make_consumer(steps.db, credits_=100)
    values = {
        "id": uuid.uuid4(),
        "consumer_id": consumer,
        "url": "https://x.de",
        "event_types": [],
        "secret": "whsec_",
        "created_at": steps.now,
    }
    with steps.db.transaction() as session:
        webhooks.add(session, values)
    _, attempt = steps.running(factories.make_offer(steps.db), consumer)
    steps.observe(attempt, "RUNNING")
    steps.observe(attempt, "COMPLETED")
    with steps.db.step() as connection:
        mine = text("SELECT id FROM deliveries WHERE endpoint_id = :id ORDER BY id")
        return list(connection.scalars(mine, {"id": values["id"]}))


def _sql(db: Database, statement: str, **values: Any) -> None:
    with db.step() as connection:
        connection.execute(text(statement), {n: _plain(v) for n, v in values.items()})


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


OPEN_PROBED = (
    ProbedMutation(
        "an allowance without an end",
        (
            Change(
                TRAFFIC,
                "WHERE greatest(r.tat, p_now) + p_interval * granted - p_now <= most",
                "WHERE true OR most IS NULL",
            ),
        ),
        limits_a_caller,
    ),
    ProbedMutation(
        "a repeat let in while the first is worked on",
        (Change(TRAFFIC, "WHEN earlier.locked_until > p_now THEN 'running'", ""),),
        works_on_a_request_once,
    ),
    ProbedMutation(
        "another body under the same key",
        (Change(TRAFFIC, "WHEN earlier.request_hash <> p_hash THEN 'reused'", ""),),
        works_on_a_request_once,
    ),
    ProbedMutation(
        "a key's limit not looked at",
        (Change(KEYS, "WHERE s.spent + p_price <= k.spend_limit;", "WHERE true;"),),
        keeps_a_keys_limit,
    ),
    ProbedMutation(
        "a key's allowance not given back",
        (Change(EXECUTIONS, "IF e.api_key_id IS NOT NULL THEN", "IF false THEN"),),
        gives_back_what_was_not_spent,
    ),
    ProbedMutation(
        "an ended key starts",
        (Change(KEYS, "IF k.id IS NULL OR k.revoked_at <= p_now OR", "IF k.id IS NULL OR"),),
        starts_nothing_with_a_key_that_has_ended,
    ),
    ProbedMutation(
        "a suspended consumer starts",
        (Change(EXECUTIONS, "IF parties.suspended_at IS NOT NULL THEN", "IF false THEN"),),
        starts_nothing_for_the_suspended,
    ),
    ProbedMutation(
        "a suspended developer's model starts",
        (Change(EXECUTIONS, "m.developer_id AND d.suspended_at IS NULL", "m.developer_id"),),
        starts_nothing_of_a_suspended_developer,
    ),
    ProbedMutation(
        "a suspended model starts",
        (
            Change(
                EXECUTIONS,
                "AND m.deleted_at IS NULL AND m.suspended_at IS NULL",
                "AND m.deleted_at IS NULL",
            ),
        ),
        starts_nothing_of_a_suspended_model,
    ),
    ProbedMutation(
        "earning by oneself",
        (Change(EXECUTIONS, "ELSIF parties.same_person THEN", "ELSIF false THEN"),),
        pays_nobody_for_their_own_run,
    ),
    ProbedMutation(
        "no turns",
        (Change(EXECUTIONS, ">= (SELECT concurrent_runs FROM consumer_limits) THEN", "< 0 THEN"),),
        lets_consumers_take_turns,
    ),
    ProbedMutation(
        "the next turn forgotten",
        (
            Change(
                EXECUTIONS,
                "IF e.phase = 'done' AND e.consumer_id IS NOT NULL THEN",
                "IF false THEN",
            ),
        ),
        lets_consumers_take_turns,
    ),
    ProbedMutation(
        "Cancel-After not looked at",
        (
            Change(
                EXECUTIONS,
                "IF e.cancel_at <= p_now AND NOT e.cancel_requested AND NOT",
                "IF false AND NOT",
            ),
        ),
        cancels_after_the_time,
    ),
    ProbedMutation(
        "events shown before their place is sure",
        (
            Change(
                EVENTS,
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
                "SELECT 9223372036854775807",
            ),
        ),
        misses_no_event,
    ),
    ProbedMutation(
        "deliveries out of order",
        (
            Change(
                WEBHOOKS, "ELSIF EXISTS (SELECT 1 FROM delivery_before(d)) THEN", "ELSIF false THEN"
            ),
        ),
        delivers_in_order,
    ),
    ProbedMutation(
        "a delivery without a lease",
        (Change(WEBHOOKS, "due_at = p_now + interval '1 minute'", "due_at = p_now"),),
        delivers_once_at_a_time,
    ),
    ProbedMutation(
        "a stopped webhook is told",
        (Change(WEBHOOKS, "IF w.disabled_at IS NOT NULL OR w.deleted_at IS NOT NULL", "IF false"),),
        tells_a_stopped_webhook_nothing,
    ),
    ProbedMutation(
        "a stream taken by two",
        (Change(EXECUTIONS, "WHERE s.holder = p_holder OR s.leased_until <= p_now", "WHERE true"),),
        takes_a_stream_once,
    ),
    ProbedMutation(
        "new accounts not slowed down",
        (Change(PAYMENTS, "> limits.new_account_cents_per_day THEN", "< 0 THEN"),),
        slows_new_accounts_down,
    ),
)
