"""The slice's surface: what functions may call. Each verb has a file of its own."""

from common.executions.cancelling import cancel
from common.executions.reading import execution_of, list_of, run_count, signer, status_of
from common.executions.starting import start
from common.executions.submitting import submit
from common.executions.sweeping import audit, sweep
from common.executions.trying import test_run
from common.executions.watching import hear, refresh, watch

__all__ = [
    "audit",
    "cancel",
    "execution_of",
    "hear",
    "list_of",
    "refresh",
    "run_count",
    "signer",
    "start",
    "status_of",
    "submit",
    "sweep",
    "test_run",
    "watch",
]
