"""A consumer's runs: start, list, look, wait, cancel."""

from typing import Any

from common.accounts.service import Consumer
from common.catalog import service as catalog
from common.credits.service import whole_credits
from common.errors import (
    AccountSuspended,
    ConsumerNotFound,
    ExecutionEnded,
    ExecutionNotFound,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidInputs,
    InvalidRequest,
    ModelChanged,
    ModelNotFound,
    ModelUnavailable,
)
from common.executions import service as executions
from common.executions.schemas import (
    Execution,
    ExecutionSummary,
    RunBySlugIn,
    RunCancelled,
    RunIn,
    RunsQuery,
    RunStarted,
    RunStatus,
    StatusQuery,
)
from common.http import Call, JsonObject, Page, Reply
from common.http.app import Routes
from common.runtime import runtime
from functions.marketplace.guards import consumer

routes = Routes()
# RunPod refuses more than 10 MiB (runpod.md 1.5); JSON around it needs a little room.
RUN_BYTES = 10 * 1024 * 1024 + 64 * 1024
CONSUMER_ERRORS = (ConsumerNotFound, AccountSuspended)
START_ERRORS = (
    *CONSUMER_ERRORS,
    ModelNotFound,
    ModelUnavailable,
    ModelChanged,
    InsufficientCredits,
    InvalidInputs,
    IdempotencyKeyReused,
)
_MESSAGES = {
    "PENDING": "Your run is about to start.",
    "QUEUED": "Your run is waiting for a GPU.",
    "RUNNING": "Your run is being worked on.",
    "COMPLETED": "Your run is done.",
    "FAILED": "Your run failed. Your credits are back.",
    "TIMED_OUT": "Your run took too long. Your credits are back.",
    "CANCELLED": "Your run is cancelled. Your credits are back.",
}


@routes.route(
    "POST",
    "/models/<slug>/run",
    guard=consumer,
    body=RunIn,
    out=RunStarted,
    status=201,
    body_limit=RUN_BYTES,
    errors=START_ERRORS,
)
def run(call: Call[Consumer, RunIn, None]) -> Reply:
    """Starts a run: its price is held at once, and taken only if it succeeds."""
    return _start(call, call.path["slug"], call.body.inputs)


@routes.route(
    "POST",
    "/executions",
    guard=consumer,
    body=RunBySlugIn,
    out=RunStarted,
    status=201,
    body_limit=RUN_BYTES,
    errors=START_ERRORS,
)
def run_by_slug(call: Call[Consumer, RunBySlugIn, None]) -> Reply:
    """Starts a run of the model that the body names."""
    return _start(call, call.body.slug, call.body.inputs)


@routes.route(
    "GET",
    "/runs",
    guard=consumer,
    query=RunsQuery,
    out=Page[ExecutionSummary],
    errors=CONSUMER_ERRORS,
    aliases=("/executions",),
)
def list_runs(call: Call[Consumer, None, RunsQuery]) -> Page[ExecutionSummary]:
    """Lists the caller's runs, newest first."""
    with runtime().db.transaction() as session:
        return executions.list_of(session, call.principal.id, call.query)


@routes.route(
    "GET",
    "/runs/<id>",
    guard=consumer,
    out=Execution,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound),
    aliases=("/executions/<id>",),
)
def get_run(call: Call[Consumer, None, None]) -> Execution:
    """Shows one run with its inputs and its result."""
    parts = runtime()
    with parts.db.transaction() as session:
        found = executions.execution_row(session, call.uuid("id"), call.principal.id)
    return executions.shown(found, executions.signer(parts))


@routes.route(
    "GET",
    "/runs/<id>/status",
    guard=consumer,
    query=StatusQuery,
    out=RunStatus,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound),
    aliases=("/executions/<id>/status",),
)
def get_status(call: Call[Consumer, None, StatusQuery]) -> RunStatus:
    """Shows where a run is; with sync=true the GPU service is asked first."""
    parts, execution_id = runtime(), call.uuid("id")
    with parts.db.transaction() as session:
        found = executions.status_row(session, execution_id, call.principal.id)
    if call.query.sync == "true" and found.finished_at is None:
        executions.refresh(parts, execution_id)
        with parts.db.transaction() as session:
            found = executions.status_row(session, execution_id, call.principal.id)
    return executions.status_shown(found, executions.signer(parts))


@routes.route(
    "POST",
    "/runs/<id>/cancel",
    guard=consumer,
    out=RunCancelled,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound, ExecutionEnded),
    aliases=("/executions/<id>/cancel",),
)
def cancel_run(call: Call[Consumer, None, None]) -> RunCancelled:
    """Stops a run. One that has finished at the GPU first is completed and charged."""
    parts, execution_id = runtime(), call.uuid("id")
    executions.cancel(parts, execution_id, call.principal.id)
    with parts.db.transaction() as session:
        status = executions.status_row(session, execution_id, call.principal.id).status
    message = _MESSAGES[status]
    if status in {"PENDING", "QUEUED", "RUNNING"}:
        message = "Your run will stop as soon as the GPU lets go of it."
    return RunCancelled(id=execution_id, status=status, message=message)


def _start(call: Call[Consumer, Any, None], slug: str, inputs: JsonObject) -> Reply:
    parts = runtime()
    key = call.header("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= 255:
        raise InvalidRequest("Idempotency-Key must have 1 to 255 characters.")
    with parts.db.transaction() as session:
        model = catalog.runnable(session, slug)
    started = executions.start(
        parts, model, consumer_id=call.principal.id, inputs=inputs, idempotency_key=key
    )
    replayed = started.outcome == "replayed"
    submitted = not replayed and executions.submit(parts, started.execution_id) == "watching"
    status = "QUEUED"
    if not submitted:  # an earlier run, or one that could not be handed over at once
        with parts.db.transaction() as session:
            row = executions.status_row(session, started.execution_id, call.principal.id)
        status = row.status
    answer = RunStarted(
        execution_id=started.execution_id,
        status=status,
        message=_MESSAGES[status],
        estimated_seconds=model.estimated_seconds,
        credits_charged=model.price_credits,
        remaining_credits=whole_credits(started.remaining),
    )
    headers = {"Location": f"/api/marketplace/runs/{started.execution_id}"}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return Reply(answer, 201, headers=headers)
