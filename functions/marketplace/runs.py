"""A consumer's runs: start, list, look, wait, cancel."""

import uuid
from typing import Any

from common.credits.service import whole_credits
from common.errors import (
    AccountSuspended,
    ConsumerNotFound,
    ExecutionEnded,
    ExecutionNotFound,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidInputs,
    ModelChanged,
    ModelNotFound,
    ModelUnavailable,
)
from common.executions import service as executions
from common.executions.schemas import (
    Execution,
    ExecutionSummary,
    Receipt,
    RunBySlugIn,
    RunCancelled,
    RunIn,
    RunsQuery,
    RunStarted,
    RunStatus,
    StatusQuery,
)
from common.gateways.identity import Identity
from common.http import IDEMPOTENCY_KEY, Call, JsonObject, Link, Page, Reply
from common.http.app import Routes
from common.runtime import runtime
from functions.marketplace.guards import consumer_id, signed_in

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
ABOUT_A_RUN = (
    "GET /runs/<id>",
    "GET /runs/<id>/status",
    "GET /runs/<id>/receipt",
    "POST /runs/<id>/cancel",
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
    guard=consumer_id,
    body=RunIn,
    out=RunStarted,
    status=201,
    body_limit=RUN_BYTES,
    errors=START_ERRORS,
    takes=(IDEMPOTENCY_KEY,),
    headers=("Location",),
    links=(Link("executionId", ABOUT_A_RUN),),
)
def run(call: Call[uuid.UUID, RunIn, None]) -> Reply:
    """Starts a run: its price is held at once, and taken only if it succeeds."""
    return _start(call, call.path["slug"], call.body.inputs)


@routes.route(
    "POST",
    "/executions",
    guard=consumer_id,
    body=RunBySlugIn,
    out=RunStarted,
    status=201,
    body_limit=RUN_BYTES,
    errors=START_ERRORS,
    takes=(IDEMPOTENCY_KEY,),
    headers=("Location",),
    links=(Link("executionId", ABOUT_A_RUN),),
)
def run_by_slug(call: Call[uuid.UUID, RunBySlugIn, None]) -> Reply:
    """Starts a run of the model that the body names."""
    return _start(call, call.body.slug, call.body.inputs)


@routes.route(
    "GET",
    "/runs",
    guard=consumer_id,
    query=RunsQuery,
    out=Page[ExecutionSummary],
    errors=CONSUMER_ERRORS,
    links=(Link("0/id", ABOUT_A_RUN),),
    aliases=("/executions",),
)
def list_runs(call: Call[uuid.UUID, None, RunsQuery]) -> Page[ExecutionSummary]:
    """Lists the caller's runs, newest first."""
    with runtime().db.transaction() as session:
        return executions.list_of(session, call.principal, call.query)


@routes.route(
    "GET",
    "/runs/<id>",
    guard=consumer_id,
    out=Execution,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound),
    aliases=("/executions/<id>",),
)
def get_run(call: Call[uuid.UUID, None, None]) -> Execution:
    """Shows one run with its inputs and its result."""
    parts = runtime()
    with parts.db.step() as connection:
        found = executions.execution_row(connection, call.uuid("id"), call.principal)
    return executions.shown(found, executions.signer(parts))


@routes.route(
    "GET",
    "/runs/<id>/receipt",
    guard=consumer_id,
    out=Receipt,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound),
    aliases=("/executions/<id>/receipt",),
)
def get_receipt(call: Call[uuid.UUID, None, None]) -> Receipt:
    """Shows a run's money down to the postings: who got what of its price."""
    with runtime().db.transaction() as session:
        return executions.receipt(session, call.uuid("id"), call.principal)


@routes.route(
    "GET",
    "/runs/<id>/status",
    guard=signed_in,
    query=StatusQuery,
    out=RunStatus,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound),
    aliases=("/executions/<id>/status",),
)
def get_status(call: Call[Identity, None, StatusQuery]) -> RunStatus:
    """Shows where a run is; with sync=true the GPU service is asked first."""
    parts, execution_id = runtime(), call.uuid("id")
    with parts.db.step() as connection:
        found = executions.status_for(connection, execution_id, call.principal.uid)
    if call.query.sync == "true" and found.finished_at is None:
        executions.refresh(parts, execution_id)
        with parts.db.step() as connection:
            found = executions.status_for(connection, execution_id, call.principal.uid)
    return executions.status_shown(found, executions.signer(parts))


@routes.route(
    "POST",
    "/runs/<id>/cancel",
    guard=consumer_id,
    out=RunCancelled,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound, ExecutionEnded),
    aliases=("/executions/<id>/cancel",),
)
def cancel_run(call: Call[uuid.UUID, None, None]) -> RunCancelled:
    """Stops a run. One that has finished at the GPU first is completed and charged."""
    parts, execution_id = runtime(), call.uuid("id")
    executions.cancel(parts, execution_id, call.principal)
    with parts.db.step() as connection:
        status = executions.status_row(connection, execution_id, call.principal).status
    message = _MESSAGES[status]
    if status in {"PENDING", "QUEUED", "RUNNING"}:
        message = "Your run will stop as soon as the GPU lets go of it."
    return RunCancelled(id=execution_id, status=status, message=message)


def _start(call: Call[uuid.UUID, Any, None], slug: str, inputs: JsonObject) -> Reply:
    parts = runtime()
    key = call.header("Idempotency-Key")
    model, started = executions.start_offered(
        parts, slug, consumer_id=call.principal, inputs=inputs, idempotency_key=key
    )
    replayed = started.outcome == "replayed"
    queued = not replayed and executions.submit(parts, started.execution_id) == "watching"
    status = "QUEUED"
    if not queued:  # an earlier run, one not handed over, or one that was called back about by now
        with parts.db.step() as connection:
            row = executions.status_row(connection, started.execution_id, call.principal)
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
