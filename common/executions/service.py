"""The slice's surface: what functions may call. Each verb has a file of its own."""

from common.executions.auditing import audit, audit_shown
from common.executions.billing import charges, quote, receipt
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
from common.executions.refunding import refund_run
from common.executions.starting import start, start_offered
from common.executions.submitting import submit
from common.executions.sweeping import sweep
from common.executions.trying import test_run
from common.executions.watching import hear, refresh, send_cancels, watch

__all__ = [
    "audit",
    "audit_shown",
    "cancel",
    "charges",
    "execution_row",
    "hear",
    "list_of",
    "quote",
    "receipt",
    "refresh",
    "refund_run",
    "run_count",
    "send_cancels",
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
