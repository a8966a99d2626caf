"""The guarantee under everything quick: each minute, whatever was left behind is taken up."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from common import logs
from common.credits import service as ledger
from common.executions import queries
from common.executions.alarms import set_alarm
from common.executions.tools import Tools
from common.executions.watching import watch
from common.outbox import service as outbox

log = logs.Log("cleanup")
# Cloud Tasks and the request that made a row have this long before the sweep steps in.
PATIENCE = timedelta(seconds=15)
BATCH = 1000
# An execution that an earlier sweep's alarm has not moved is moved by the sweep itself: Cloud Tasks
# may take tasks and never deliver them. Few at a time, for each may wait for RunPod.
ALARM_PATIENCE = timedelta(seconds=75)
BY_HAND = 50
BY_HAND_TIME = timedelta(seconds=20)


@dataclass(frozen=True)
class Swept:
    """How much of each kind one sweep took up."""

    expired: int
    relayed: int
    woken: int
    folded: int


def sweep(tools: Tools) -> Swept:
    """One round. Safe to run twice at once: rows are claimed and every step guards itself."""
    now = tools.clock.now()
    with tools.db.step() as connection:
        expired = queries.expire(connection, limit=BATCH, now=now)
        relay = outbox.claim(connection, now)
        due = queries.overdue(connection, now=now, patience=PATIENCE, limit=BATCH)
        stuck = queries.overdue(connection, now=now, patience=ALARM_PATIENCE, limit=BY_HAND)
        folded = ledger.fold(connection)
        queries.forget(connection, now)
    relayed, moved = set(relay), _moved_by_hand(tools, stuck)
    for execution_id in [*relay, *(other for other in due if other not in relayed)]:
        path: Literal["/submit", "/poll"] = "/submit" if execution_id in relayed else "/poll"
        if execution_id not in moved and not set_alarm(tools, path, execution_id, now):
            _move(tools, execution_id)
    woken = len(relayed.union(due)) - len(relay)
    return Swept(expired, len(relay), woken, folded)


def _moved_by_hand(tools: Tools, stuck: list[uuid.UUID]) -> set[uuid.UUID]:
    ends_at, moved = tools.clock.now() + BY_HAND_TIME, set[uuid.UUID]()
    for execution_id in stuck:
        if tools.clock.now() < ends_at:
            log.warning("alarms do not help", executionId=str(execution_id))
            _move(tools, execution_id)
            moved.add(execution_id)
    return moved


def _move(tools: Tools, execution_id: uuid.UUID) -> None:
    """One execution that cannot be moved must not keep the sweep from all the others."""
    try:
        watch(tools, execution_id)
    except Exception as error:
        log.error("execution not moved", exception=error, executionId=str(execution_id))
