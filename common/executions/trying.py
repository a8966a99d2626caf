"""A developer's test run: one call that answers when the run has ended (contract K12)."""

import uuid
from typing import Any

from common.catalog.service import Runnable
from common.errors import ExecutionNotFound
from common.executions import queries
from common.executions.outputs import present_output
from common.executions.queries import AnyRow
from common.executions.reading import Sign
from common.executions.schemas import TestRun
from common.executions.starting import start_test
from common.executions.submitting import submit
from common.executions.tools import Tools
from common.executions.watching import refresh

PAUSE_SECONDS = 0.5
_ENDED = {"COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED"}


def test_run(tools: Tools, model: Runnable, *, inputs: dict[str, Any], sign: Sign) -> TestRun:
    """Starts a free test and waits for its end, at most TEST_RUN_WAIT_SECONDS.

    Raises InvalidInputs, InputsRefused or TestQuotaUsed. A test that is still going when the wait
    ends is answered as TIMED_OUT with words that say so; the same call again joins it.
    """
    started = start_test(tools, model, inputs=inputs)
    submit(tools, started.execution_id)
    row = _wait(tools, started.execution_id, model.developer_id)
    ended = row.status in _ENDED
    return TestRun(
        job_id=str(row.id),
        status=row.status if ended else "TIMED_OUT",
        output=present_output(row.output, sign) if row.output is not None else None,
        error=_error(row, ended),
        execution_time_ms=row.execution_ms,
    )


def _wait(tools: Tools, execution_id: uuid.UUID, developer_id: uuid.UUID) -> AnyRow:
    ends_at = tools.clock.now().timestamp() + tools.settings.test_run_wait_seconds
    while True:
        with tools.db.transaction() as session:
            row = queries.test_of_developer(session, execution_id, developer_id)
        if row is None:
            raise ExecutionNotFound
        if row.status in _ENDED or tools.clock.now().timestamp() >= ends_at:
            return row
        tools.clock.sleep(PAUSE_SECONDS)
        refresh(tools, execution_id)


def _error(row: AnyRow, ended: bool) -> str | None:
    if not ended:
        return "The test is still running. Test again with the same inputs to see its result."
    if row.status == "CANCELLED":
        return "The test was cancelled."
    return str(row.error_message) if row.error_message else None
