"""What a run's consumer is told of its course beside its status: attempts that failed, wishes to
stop. Made of what operators see, in words that name no provider."""

import uuid
from typing import Any

from sqlalchemy import Connection

from common.executions import queries
from common.executions.queries import AnyRow
from common.http.wire import iso_milliseconds

# (what happened, its effect) to a sentence; all else is for operators only.
_SENTENCES = {
    ("rejected", "retry"): "The GPU service did not take attempt {n}. Another one follows.",
    ("FAILED", "retry"): "Attempt {n} failed at the GPU. Another one follows.",
    ("GONE", "retry"): "The GPU service lost attempt {n}. Another one follows.",
    ("CANCELLED", "retry"): "The GPU service gave attempt {n} up. Another one follows.",
    ("tick", "lost:retry"): "The GPU service did not answer for attempt {n}. Another one follows.",
    ("cancel", "requested"): "You asked to stop the run. The GPU is being told.",
    ("cancel-after", "requested"): "The time that you gave the run is over. The GPU is being told.",
}


def lines_after(connection: Connection, execution_id: uuid.UUID, told: int) -> list[dict[str, Any]]:
    """A run's log but for its first `told` lines: when, which attempt (or None), and a sentence."""
    rows = queries.events_of(connection, execution_id)
    return [line for row in rows if (line := _line(row)) is not None][told:]


def _line(row: AnyRow) -> dict[str, Any] | None:
    sentence = _SENTENCES.get((row.what.rpartition(":")[2], row.effect))
    if sentence is None:
        return None
    return {
        "at": iso_milliseconds(row.at),
        "attempt": row.attempt,
        "message": sentence.format(n=row.attempt),
    }
