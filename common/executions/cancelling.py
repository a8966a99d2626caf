"""A consumer's wish to stop a run: at once while it waits, else through RunPod."""

import uuid

from common.errors import ExecutionEnded, ExecutionNotFound, TextDelivered
from common.executions import queries
from common.executions.alarms import follow
from common.executions.tools import Tools
from common.executions.watching import look


def cancel(tools: Tools, execution_id: uuid.UUID, consumer_id: uuid.UUID) -> None:
    """Stops a run, or asks RunPod to; repeating it is harmless.

    Raises ExecutionNotFound (also for another's run), ExecutionEnded, and TextDelivered for a run
    whose text was handed out as it came: it would be had for nothing. If RunPod had finished
    the job first, the run is completed and charged: the work was done.
    """
    with tools.db.step() as connection:
        effect = queries.cancel(connection, execution_id, consumer_id, tools.clock.now())
        attempt = (
            queries.current_attempt(connection, execution_id) if effect == "requested" else None
        )
    if effect == "unknown":
        raise ExecutionNotFound
    if effect == "ended":
        raise ExecutionEnded
    if effect == "told":
        raise TextDelivered
    if effect == "cancelled":
        follow(tools, execution_id)
    if attempt is not None and attempt.job_id is not None:
        look(tools, attempt, source="cancel")
