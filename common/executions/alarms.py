"""Wake-ups for executions. They make things quick; the sweep makes them certain."""

import uuid
from datetime import datetime
from typing import Literal

from common import logs
from common.executions import queries
from common.executions.messages import ExecutionTask
from common.executions.tools import Tools
from common.gateways.tasks import TaskNotCreated, Wake
from common.webhooks import service as webhooks

log = logs.Log("executions")


def set_alarm(
    tools: Tools,
    path: Literal["/submit", "/poll", "/timeout"],
    execution_id: uuid.UUID,
    at: datetime,
) -> bool:
    """Asks Cloud Tasks to wake an execution. False when it did not: then the sweep will."""
    body = ExecutionTask(execution_id=execution_id).model_dump_json(by_alias=True).encode()
    try:
        tools.tasks.create(Wake(path=path, body=body, at=at))
    except TaskNotCreated as error:
        log.warning("alarm not set", path=path, reason=str(error))
        return False
    return True


def follow(tools: Tools, execution_id: uuid.UUID) -> None:
    """A run has begun to work or has ended: whoever is to be told is told soon, and the next run of
    a consumer who has to take turns begins."""
    now = tools.clock.now()
    with tools.db.step() as connection:
        following = queries.aftermath(connection, execution_id, now)
    for what, ref in following:
        if what == "deliver":
            webhooks.set_alarm(tools, int(ref), now)
        else:
            set_alarm(tools, "/submit", uuid.UUID(ref), now)
