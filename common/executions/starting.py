"""Hop 1: from a click to a durable execution with its credits held."""

import hashlib
import json
import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError

from common import logs
from common.catalog.service import Runnable, runnable
from common.credits.service import MICRO_CREDITS, split, whole_credits
from common.db import detail, sqlstate
from common.errors import (
    AccountSuspended,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidInputs,
    KeyEnded,
    ModelChanged,
    SpendLimitReached,
    TarsifyError,
    TestQuotaUsed,
    WalletFrozen,
)
from common.executions import queries
from common.executions.alarms import set_alarm
from common.executions.attaching import attached, check_addresses
from common.executions.queries import Started
from common.executions.tools import Tools
from common.kept import Kept
from common.moderation.service import check_inputs
from common.tracing import step
from common.webhooks import service as webhooks
from common.webhooks.schemas import RunWebhook

log = logs.Log("executions")
_offered = Kept[Runnable](2000)


@dataclass(frozen=True)
class Wish:
    """A start as its consumer wants it. `cancel_after_s`: seconds from now; None: never."""

    consumer_id: uuid.UUID
    inputs: dict[str, Any]
    idempotency_key: str | None = None
    api_key: uuid.UUID | None = None
    cancel_after_s: int | None = None
    webhook: RunWebhook | None = None

    @property
    def fingerprint(self) -> list[Any]:
        """What a repeat under the same key must not change."""
        told = self.webhook.model_dump(mode="json") if self.webhook else None
        extras = [self.cancel_after_s, told]
        return [self.inputs, *(extras if any(extras) else [])]


@dataclass(frozen=True)
class Accepted:
    """A start with what its answer says of it; the estimate in seconds."""

    started: Started
    estimated_seconds: int
    price_credits: int


def start_offered(tools: Tools, slug: str, wish: Wish) -> Accepted:
    """Starts a published model as it was a moment ago; if it has changed since, as it is now.

    The database compares the version, so nobody pays a price that is not asked any more. A repeat
    under its key answers what was started, whatever has become of the model or the inputs since.
    Raises ModelNotFound, ModelUnavailable, InvalidStatus, and what `start` raises.
    """

    def started() -> Accepted:
        model = _offered.get(
            slug, lambda: _offer(tools, slug), seconds=tools.settings.catalogue_seconds
        )
        made = start(tools, model, wish)
        return Accepted(made, model.estimated_seconds, model.price_credits)

    try:
        return started()
    except (ModelChanged, InvalidInputs):
        _offered.forget(slug)
    except TarsifyError as refusal:
        return _earlier(tools, slug, wish, refusal)
    try:
        return started()
    except TarsifyError as refusal:
        return _earlier(tools, slug, wish, refusal)


def _earlier(tools: Tools, slug: str, wish: Wish, refusal: TarsifyError) -> Accepted:
    """What was started under the wish's key; raises the refusal if nothing was."""
    if wish.idempotency_key is None:
        raise refusal
    with tools.db.step() as connection:
        found = queries.earlier_start(connection, wish.consumer_id, wish.idempotency_key)
    if found is None or found.request_hash != _hash(slug.lower(), *wish.fingerprint):
        raise refusal
    replay = Started("replayed", found.execution_id, found.remaining)
    return Accepted(replay, found.estimated_seconds, whole_credits(found.price))


def _offer(tools: Tools, slug: str) -> Runnable:
    with tools.db.step() as connection:
        return runnable(connection, slug)


def start(tools: Tools, model: Runnable, wish: Wish) -> Started:
    """Checks the inputs, then holds the price and writes the execution in one transaction.

    Raises InvalidInputs, InputsRefused, InsufficientCredits (with `required` and `available`
    credits), IdempotencyKeyReused, ModelChanged, WalletFrozen, SpendLimitReached, KeyEnded,
    AccountSuspended.
    """
    payload = model.form.payload(wish.inputs)
    check_inputs(tools, model, wish.inputs, consumer_id=wish.consumer_id)
    payload = attached(tools, model, payload, given=wish.inputs, consumer_id=wish.consumer_id)
    share = split(model.price_credits, tools.settings.platform_fee_bps)
    now = tools.clock.now()
    new = _terms(model, kind="RUN", inputs=wish.inputs, payload=payload) | {
        "consumer_id": str(wish.consumer_id),
        "version_id": str(model.version_id),
        "price": share.price,
        "fee": share.fee,
        "api_key_id": str(wish.api_key) if wish.api_key else None,
        "cancel_at": _cancel_at(wish, now),
        "webhook": _webhook(tools, wish),
    }
    with step(tools.traces, "start") as traced, _refusals(share.price):
        with tools.db.step() as connection:
            started = queries.start(
                connection,
                new,
                key=wish.idempotency_key,
                request_hash=_hash(model.slug.lower(), *wish.fingerprint),
                now=now,
            )
        if started.outcome == "started":  # a repeated click is no second start
            traced.of(started.execution_id)
    log.info("execution started", executionId=started.execution_id, outcome=started.outcome)
    if started.outcome == "started" and wish.cancel_after_s is not None:
        set_alarm(
            tools, "/timeout", started.execution_id, now + timedelta(seconds=wish.cancel_after_s)
        )
    return started


def _cancel_at(wish: Wish, now: datetime) -> str | None:
    if wish.cancel_after_s is None:
        return None
    return (now + timedelta(seconds=wish.cancel_after_s)).isoformat()


def _webhook(tools: Tools, wish: Wish) -> dict[str, Any] | None:
    """The run's own webhook, its address checked; raises InvalidRequest."""
    if wish.webhook is None:
        return None
    webhooks.check_url(tools, wish.webhook.url)
    with tools.db.transaction() as session:
        secret = webhooks.run_secret(session, wish.consumer_id, tools.clock.now())
    return {
        "id": str(uuid.uuid4()),
        "url": wish.webhook.url,
        "eventTypes": sorted(set(wish.webhook.event_types)),
        "secret": secret,
    }


def start_test(tools: Tools, model: Runnable, *, inputs: dict[str, Any]) -> Started:
    """A developer's free test run; the same test while one is alive joins it.

    Raises InvalidInputs, InputsRefused, TestQuotaUsed.
    """
    payload = model.form.payload(inputs)
    check_inputs(tools, model, inputs, consumer_id=None)
    check_addresses(tools, model, payload)
    new = _terms(model, kind="TEST", inputs=inputs, payload=payload) | {"price": 0, "fee": 0}
    now = tools.clock.now()
    try:
        with step(tools.traces, "start") as traced, tools.db.step() as connection:
            started = queries.start_test(
                connection,
                new,
                fingerprint=_hash(str(model.model_id), payload),
                quota=tools.settings.test_runs_per_day,
                now=now,
            )
            if started.outcome == "started":
                traced.of(started.execution_id)
            return started
    except DBAPIError as error:
        if sqlstate(error) == "P0429":
            raise TestQuotaUsed(retryAfterSeconds=_seconds_of_day_left(now)) from None
        raise


def _terms(
    model: Runnable, *, kind: str, inputs: dict[str, Any], payload: dict[str, Any]
) -> dict[str, Any]:
    """What is frozen on an execution when it starts: later edits of the model do not reach it."""
    return {
        "id": str(uuid.uuid4()),
        "kind": kind,
        "developer_id": str(model.developer_id),
        "tars_model_id": str(model.model_id),
        "base_model_id": str(model.base_model_id),
        "endpoint_id": str(model.endpoint_id),
        "runpod_endpoint_id": model.runpod_endpoint_id,
        "output_adapter": model.output_adapter,
        "output_type": model.output_type,
        "withheld": model.overrides.hidden_fields,
        "queue_seconds": model.queue_seconds,
        "execution_timeout_seconds": model.execution_timeout_seconds,
        "inputs": inputs,
        "payload": payload,
    }


def _seconds_of_day_left(now: datetime) -> int:
    """The quota is per day of UTC, like the database's clock."""
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return math.ceil((midnight - now).total_seconds())


def _hash(*parts: Any) -> bytes:
    """The same for the same request, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()


@contextmanager
def _refusals(price: int) -> Iterator[None]:
    """Turns what the database refuses into what the caller may do about it."""
    try:
        yield
    except DBAPIError as error:
        match sqlstate(error):
            case "P0402":
                available = whole_credits(int(detail(error)))
                required = price // MICRO_CREDITS
                raise InsufficientCredits(
                    f"This run costs {required} credits and you have {available}.",
                    required=required,
                    available=available,
                ) from None
            case "P0401":
                raise KeyEnded from None
            case "P0406":
                raise AccountSuspended from None
            case "P0430":
                raise _over_limit(detail(error)) from None
            case "P0403":
                why = detail(error)
                raise WalletFrozen(f"Your wallet is frozen. {why}".strip(), reason=why) from None
            case "P0409":
                raise ModelChanged from None
            case "P0422":
                raise IdempotencyKeyReused from None
        raise


def _over_limit(told: str) -> SpendLimitReached:
    limit, spent, period = told.split()
    limit_credits, spent_credits = whole_credits(int(limit)), whole_credits(int(spent))
    return SpendLimitReached(
        f"This API key may spend {limit_credits} credits a {period} and has spent {spent_credits}.",
        limitCredits=limit_credits,
        spentCredits=spent_credits,
        period=period,
    )
