"""The slice's surface: what functions may call. Each verb has a file of its own."""

from common.executions.auditing import audit, audit_shown
from common.executions.billing import charges, quote, receipt
from common.executions.cancelling import cancel
from common.executions.erasing import erase_consumer, erase_developer
from common.executions.queueing import queue_of
from common.executions.reading import (
    execution_row,
    inputs_of,
    list_of,
    run_count,
    shown,
    signer,
    status_for,
    status_row,
    status_shown,
)
from common.executions.refunding import refund_run
from common.executions.starting import Wish, start, start_offered
from common.executions.streaming import Place, RunEvents
from common.executions.submitting import submit
from common.executions.sweeping import sweep
from common.executions.trying import test_run
from common.executions.waiting import wait_for_end, wait_seconds
from common.executions.watching import hear, refresh, send_cancels, watch

__all__ = [
    "Place",
    "RunEvents",
    "Wish",
    "audit",
    "audit_shown",
    "cancel",
    "charges",
    "erase_consumer",
    "erase_developer",
    "execution_row",
    "hear",
    "inputs_of",
    "list_of",
    "queue_of",
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
    "wait_for_end",
    "wait_seconds",
    "watch",
]
