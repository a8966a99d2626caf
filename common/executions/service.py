"""The slice's surface: what functions may call. Each verb has a file of its own."""

from common.executions.cancelling import cancel
from common.executions.reading import (
    execution_row,
    list_of,
    run_count,
    shown,
    signer,
    status_for,
    status_row,
    status_shown,
)
from common.executions.starting import start, start_offered
from common.executions.submitting import submit
from common.executions.sweeping import audit, sweep
from common.executions.trying import test_run
from common.executions.watching import hear, refresh, watch

__all__ = [
    "audit",
    "cancel",
    "execution_row",
    "hear",
    "list_of",
    "refresh",
    "run_count",
    "shown",
    "signer",
    "start",
    "start_offered",
    "status_for",
    "status_row",
    "status_shown",
    "submit",
    "sweep",
    "test_run",
    "watch",
]
