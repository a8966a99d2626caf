"""A consumer leaves: their words go, the books stay."""

import uuid

from common.db import refusals
from common.errors import RunsUnderWay
from common.executions import queries
from common.executions.tools import Tools


def erase_consumer(tools: Tools, consumer_id: uuid.UUID) -> int:
    """Takes a consumer's words out of everything; answers the micro-credits that are given up.

    Raises RunsUnderWay. Files of results stay in the private bucket, where functions may not
    delete; nobody can get an address of them any more.
    """
    with refusals({"P0409": lambda _: RunsUnderWay()}), tools.db.step() as connection:
        return queries.erase(connection, consumer_id, tools.clock.now())
