"""Hop 1: from a click to a durable execution with its credits held."""

import hashlib
import json
import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError

from common import logs
from common.catalog.service import Runnable, runnable
from common.credits.service import MICRO_CREDITS, split, whole_credits
from common.db import detail, sqlstate
from common.errors import (
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidInputs,
    ModelChanged,
    TestQuotaUsed,
    WalletFrozen,
)
from common.executions import queries
from common.executions.queries import Started
from common.executions.tools import Tools
from common.kept import Kept
from common.tracing import step

log = logs.Log("executions")
_offered = Kept[Runnable](2000)


def start_offered(
    tools: Tools,
    slug: str,
    *,
    consumer_id: uuid.UUID,
    inputs: dict[str, Any],
    idempotency_key: str | None,
) -> tuple[Runnable, Started]:
    """Starts a published model as it was a moment ago; if it has changed since, as it is now.

    The database compares the version, so nobody pays a price that is not asked any more.
    Raises ModelNotFound, ModelUnavailable, InvalidStatus, and what `start` raises.
    """

    def started() -> tuple[Runnable, Started]:
        model = _offered.get(
            slug, lambda: _offer(tools, slug), seconds=tools.settings.catalogue_seconds
        )
        return model, start(
            tools, model, consumer_id=consumer_id, inputs=inputs, idempotency_key=idempotency_key
        )

    try:
        return started()
    except (ModelChanged, InvalidInputs):
        _offered.forget(slug)
        return started()


def _offer(tools: Tools, slug: str) -> Runnable:
    with tools.db.step() as connection:
        return runnable(connection, slug)


def start(
    tools: Tools,
    model: Runnable,
    *,
    consumer_id: uuid.UUID,
    inputs: dict[str, Any],
    idempotency_key: str | None,
) -> Started:
    """Checks the inputs, then holds the price and writes the execution in one transaction.

    Raises InvalidInputs, InsufficientCredits (with `required` and `available` credits),
    IdempotencyKeyReused, ModelChanged, WalletFrozen.
    """
    payload = model.form.payload(inputs)
    share = split(model.price_credits, tools.settings.platform_fee_bps)
    new = _terms(model, kind="RUN", inputs=inputs, payload=payload) | {
        "consumer_id": str(consumer_id),
        "version_id": str(model.version_id),
        "price": share.price,
        "fee": share.fee,
    }
    with step(tools.traces, "start") as traced, _refusals(share.price):
        with tools.db.step() as connection:
            started = queries.start(
                connection,
                new,
                key=idempotency_key,
                request_hash=_hash(str(model.model_id), inputs),
                now=tools.clock.now(),
            )
        if started.outcome == "started":  # a repeated click is no second start
            traced.of(started.execution_id)
    log.info("execution started", executionId=started.execution_id, outcome=started.outcome)
    return started


def start_test(tools: Tools, model: Runnable, *, inputs: dict[str, Any]) -> Started:
    """A developer's free test run; the same test while one is alive joins it.

    Raises InvalidInputs or TestQuotaUsed.
    """
    payload = model.form.payload(inputs)
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
            case "P0403":
                why = detail(error)
                raise WalletFrozen(f"Your wallet is frozen. {why}".strip(), reason=why) from None
            case "P0409":
                raise ModelChanged from None
            case "P0422":
                raise IdempotencyKeyReused from None
        raise
