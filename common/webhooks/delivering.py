"""One delivery: signed, sent once to a checked address, and written down with what came of it.

Alarms make deliveries quick; the sweep makes them certain.
"""

import json
import random
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from common import logs
from common.errors import InvalidRequest, Unavailable
from common.events.service import event_id
from common.gateways.errors import GatewayError
from common.gateways.outbound import OutboundError
from common.http.wire import iso_milliseconds
from common.webhooks import queries
from common.webhooks.messages import DeliveryTask
from common.webhooks.queries import Begun
from common.webhooks.signing import headers
from common.webhooks.tools import Tools

if TYPE_CHECKING:
    from common.gateways.outbound import Answered

log = logs.Log("webhooks")
ANSWER_SECONDS = 15.0
PATIENCE = timedelta(seconds=15)
# Of a sweep, and of one endpoint in it.
BATCH, EACH = 2000, 50


def check_url(tools: Tools, url: str) -> None:
    """Refuses an address that no delivery could go to; raises InvalidRequest naming why."""
    try:
        tools.outbound.check(url)
    except OutboundError as error:
        if error.passing:
            raise Unavailable from None
        message = f"cannot be used: {error}"  # its words are ours
        raise InvalidRequest.of([{"field": "url", "message": message}]) from None
    except GatewayError:
        raise Unavailable from None


def deliver(tools: Tools, delivery_id: int) -> str:
    """Makes a delivery that is due; answers what came of it. Harmless at any time and twice."""
    with tools.db.step() as connection:
        begun = queries.begin(connection, delivery_id, tools.clock.now())
    if begun.action != "send":
        if begun.action == "early" and begun.due_at is not None:
            set_alarm(tools, delivery_id, begun.due_at)
        return begun.action
    started = time.monotonic()
    answered, trouble = _sent(tools, begun)
    with tools.db.step() as connection:
        ended = queries.end(
            connection,
            delivery_id,
            attempt=begun.attempt,
            status=answered.status if answered else None,
            error=trouble,
            retry_after=answered.retry_after if answered else None,
            took_ms=round((time.monotonic() - started) * 1000),
            jitter=random.random(),  # noqa: S311 - spreads load, guards nothing
            now=tools.clock.now(),
        )
    log.info("delivery tried", deliveryId=delivery_id, attempt=begun.attempt, state=ended.state)
    if ended.state == "waiting" and ended.due_at is not None:
        set_alarm(tools, delivery_id, ended.due_at)
    if ended.next_id is not None:
        set_alarm(tools, ended.next_id, tools.clock.now())
    return ended.state


def deliver_overdue(tools: Tools) -> int:
    """Wakes what an alarm should have; answers how many deliveries."""
    now = tools.clock.now()
    with tools.db.step() as connection:
        overdue = queries.overdue(connection, now=now, patience=PATIENCE, each=EACH, limit=BATCH)
    for delivery_id in overdue:
        if not set_alarm(tools, delivery_id, now):
            break  # the queue is away; the next sweep asks again
    return len(overdue)


def set_alarm(tools: Tools, delivery_id: int, at: datetime) -> bool:
    """Asks Cloud Tasks to make a delivery; False when it did not: then the sweep will."""
    from common.gateways.tasks import TaskNotCreated, Wake

    body = DeliveryTask(delivery_id=delivery_id).model_dump_json(by_alias=True).encode()
    try:
        tools.tasks.create(Wake(path="/deliver", body=body, at=at))
    except TaskNotCreated as error:
        log.warning("alarm not set", path="/deliver", reason=str(error))
        return False
    return True


def _sent(tools: Tools, begun: Begun) -> tuple["Answered | None", str | None]:
    now = tools.clock.now()
    message_id = event_id(begun.xid, begun.event_id)
    told = {"type": begun.type, "timestamp": iso_milliseconds(begun.at), "data": begun.data}
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    keys = [begun.secret, *([begun.old_secret] if begun.old_secret else [])]
    signed = headers(message_id, int(now.timestamp()), body, keys)
    try:
        return (
            tools.outbound.post(
                begun.url,
                body,
                headers={"Content-Type": "application/json", **signed},
                timeout_s=ANSWER_SECONDS,
            ),
            None,
        )
    except OutboundError as error:
        return None, str(error) or type(error).__name__
    except GatewayError as error:
        return None, type(error).__name__
