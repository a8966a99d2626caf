"""The guarantee under everything quick: each minute, whatever was left behind is taken up."""

from dataclasses import dataclass
from datetime import timedelta

from common import logs
from common.credits import service as ledger
from common.executions import queries
from common.executions.alarms import set_alarm
from common.executions.tools import Tools
from common.executions.watching import send_cancels, watch
from common.outbox import service as outbox

log = logs.Log("cleanup")
# Cloud Tasks and the request that made a row have this long before the sweep steps in.
PATIENCE = timedelta(seconds=15)
BATCH = 1000


@dataclass(frozen=True)
class Swept:
    """How much of each kind one sweep took up."""

    relayed: int
    woken: int
    cancels: int
    folded: int


def sweep(tools: Tools) -> Swept:
    """One round. Safe to run twice at once: rows are claimed and every step guards itself."""
    now = tools.clock.now()
    with tools.db.step() as connection:
        relay = outbox.claim(connection, now)
        due = queries.overdue(connection, now=now, patience=PATIENCE, limit=BATCH)
        folded = ledger.fold(connection)
        queries.forget(connection, now)
    for execution_id in relay:
        set_alarm(tools, "/submit", execution_id, now) or watch(tools, execution_id)
    overdue = [execution_id for execution_id in due if execution_id not in set(relay)]
    for execution_id in overdue:
        set_alarm(tools, "/poll", execution_id, now) or watch(tools, execution_id)
    return Swept(len(relay), len(overdue), send_cancels(tools), folded)


def audit(tools: Tools) -> int:
    """Counts broken invariants and says each at CRITICAL; must be 0."""
    with tools.db.step() as connection:
        broken = [*ledger.violations(connection), *queries.violations(connection)]
    for rule, what, difference in broken:
        log.critical("invariant broken", rule=rule, what=what, difference=difference)
    return len(broken)
