"""Waiting for a run's end inside the request that started it (`Prefer: wait`, RFC 7240)."""

import re
import uuid

from common.executions import queries
from common.executions.tools import Tools
from common.executions.watching import refresh

LONGEST_SECONDS = 60
_WAIT = re.compile(r"wait(?:\s*=\s*\"?(\d{1,6})\"?)?", re.IGNORECASE)
_PAUSES = (0.1, 0.2, 0.3, 0.5)
_REFRESH_AFTER = 2.0


def wait_seconds(prefer: str | None) -> int | None:
    """How long the caller would wait, at most 60 s; None if it would not.

    What cannot be understood is no preference of ours (RFC 7240, 2).
    """
    for preference in (prefer or "").split(","):
        found = _WAIT.fullmatch(preference.partition(";")[0].strip())
        if found:
            return min(int(found[1]) if found[1] else LONGEST_SECONDS, LONGEST_SECONDS)
    return None


def wait_for_end(
    tools: Tools, execution_id: uuid.UUID, consumer_id: uuid.UUID, *, seconds: float
) -> bool:
    """Whether the run has ended within the time. Nothing is held while it sleeps."""
    started, looks = tools.clock.now(), 0
    while True:
        with tools.db.step() as connection:
            row = queries.status_of(connection, execution_id, consumer_id)
        if row is None or row.finished_at is not None:
            return True
        passed = (tools.clock.now() - started).total_seconds()
        if passed >= seconds:
            return False
        if passed >= _REFRESH_AFTER:
            refresh(tools, execution_id)
        tools.clock.sleep(min(_PAUSES[min(looks, len(_PAUSES) - 1)], seconds - passed))
        looks += 1
