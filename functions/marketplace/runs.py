"""A consumer's runs: start, list, look, wait, cancel."""

import uuid
from typing import Any

from common import logs
from common.credits.service import whole_credits
from common.errors import (
    AccountSuspended,
    ConsumerNotFound,
    ExecutionEnded,
    ExecutionNotFound,
    IdempotencyKeyReused,
    InputsRefused,
    InsufficientCredits,
    InvalidInputs,
    InvalidRequest,
    ModelChanged,
    ModelNotFound,
    ModelUnavailable,
    SpendLimitReached,
    TextDelivered,
    TooManyStreams,
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
    Status,
    StatusQuery,
)
from common.http import IDEMPOTENCY_KEY, Call, Header, Link, Page, Reply, Stream
from common.http.app import Routes
from common.http.places import Places, Staying
from common.runtime import runtime
from functions.marketplace.guards import consumer_id, uid

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
    InputsRefused,
    IdempotencyKeyReused,
    SpendLimitReached,
)
ABOUT_A_RUN = (
    "GET /runs/<id>",
    "GET /runs/<id>/status",
    "GET /runs/<id>/receipt",
    "GET /runs/<id>/events",
    "POST /runs/<id>/cancel",
)
LAST_EVENT_ID = Header("Last-Event-ID", "The id of the last event that was seen", 20)
PREFER = Header(
    "Prefer",
    "wait=N waits up to N seconds (60 at most) for the end; answers 202 if it did not come",
    500,
)
CANCEL_AFTER = Header(
    "Cancel-After",
    "Cancels the run unless it has ended by then, from 5s to 24h, e.g. 90s, 15m or 2h",
    7,
    r"[1-9][0-9]{0,5}[smh]",
)
# Whoever waits or follows keeps a thread of the sixteen: some of them are left for all others.
_waiting, _following = Places(most=5, each=2), Places(most=5, each=2)
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
    guard=consumer_id("runs:write"),
    tier="start",
    body=RunIn,
    out=RunStarted,
    status=201,
    also=(202,),
    body_limit=RUN_BYTES,
    errors=START_ERRORS,
    takes=(IDEMPOTENCY_KEY, PREFER, CANCEL_AFTER),
    headers=("Location",),
    links=(Link("executionId", ABOUT_A_RUN),),
)
def run(call: Call[uuid.UUID, RunIn, None]) -> Reply:
    """Starts a run: its price is held at once, and taken only if it succeeds."""
    return _start(call, call.path["slug"], call.body)


@routes.route(
    "POST",
    "/executions",
    guard=consumer_id("runs:write"),
    tier="start",
    body=RunBySlugIn,
    out=RunStarted,
    status=201,
    also=(202,),
    body_limit=RUN_BYTES,
    errors=START_ERRORS,
    takes=(IDEMPOTENCY_KEY, PREFER, CANCEL_AFTER),
    headers=("Location",),
    links=(Link("executionId", ABOUT_A_RUN),),
)
def run_by_slug(call: Call[uuid.UUID, RunBySlugIn, None]) -> Reply:
    """Starts a run of the model that the body names."""
    return _start(call, call.body.slug, call.body)


@routes.route(
    "GET",
    "/runs",
    guard=consumer_id("runs:read"),
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
    guard=consumer_id("runs:read"),
    out=Execution,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound),
    aliases=("/executions/<id>",),
)
def get_run(call: Call[uuid.UUID, None, None]) -> Execution:
    """Shows one run with its inputs and its result."""
    return _run(call.uuid("id"), call.principal)


@routes.route(
    "GET",
    "/runs/<id>/receipt",
    guard=consumer_id("runs:read"),
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
    guard=uid("runs:read"),
    query=StatusQuery,
    out=RunStatus,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound),
    aliases=("/executions/<id>/status",),
)
def get_status(call: Call[str, None, StatusQuery]) -> RunStatus:
    """Shows where a run is; with sync=true the GPU service is asked first."""
    parts, execution_id = runtime(), call.uuid("id")
    with parts.db.step() as connection:
        found = executions.status_for(connection, execution_id, call.principal)
    if call.query.sync == "true" and found.finished_at is None:
        executions.refresh(parts, execution_id)
        with parts.db.step() as connection:
            found = executions.status_for(connection, execution_id, call.principal)
    return executions.status_shown(found, executions.signer(parts))


@routes.route(
    "GET",
    "/runs/<id>/events",
    guard=consumer_id("runs:read"),
    errors=(*CONSUMER_ERRORS, ExecutionNotFound, TooManyStreams),
    takes=(LAST_EVENT_ID,),
    media="text/event-stream",
)
def follow_run(call: Call[uuid.UUID, None, None]) -> Stream:
    """Follows a run as server-sent events: status, log, progress, output (text), completed.

    A connection ends after 50 seconds at the latest; with Last-Event-ID the next one goes on.
    """
    parts, execution_id = runtime(), call.uuid("id")
    _status(execution_id, call.principal)
    caller = str(call.principal)
    if not _following.take(caller):
        raise TooManyStreams
    place = executions.Place.of(call.header(LAST_EVENT_ID.name))
    events = executions.RunEvents(parts, execution_id, call.principal, executions.signer(parts))
    return Stream(
        Staying(events.follow(place), _following, caller), "text/event-stream; charset=utf-8"
    )


@routes.route(
    "POST",
    "/runs/<id>/cancel",
    guard=consumer_id("runs:write"),
    out=RunCancelled,
    errors=(*CONSUMER_ERRORS, ExecutionNotFound, ExecutionEnded, TextDelivered),
    aliases=("/executions/<id>/cancel",),
)
def cancel_run(call: Call[uuid.UUID, None, None]) -> RunCancelled:
    """Stops a run. One that has finished at the GPU first is completed and charged."""
    execution_id = call.uuid("id")
    executions.cancel(runtime(), execution_id, call.principal)
    status = _status(execution_id, call.principal)
    message = _MESSAGES[status]
    if status in {"PENDING", "QUEUED", "RUNNING"}:
        message = "Your run will stop as soon as the GPU lets go of it."
    return RunCancelled(id=execution_id, status=status, message=message)


def _start(call: Call[uuid.UUID, Any, None], slug: str, body: RunIn) -> Reply:
    parts = runtime()
    wish = executions.Wish(
        consumer_id=call.principal,
        inputs=body.inputs,
        idempotency_key=call.idempotency_key,
        api_key=call.api_key,
        cancel_after_s=_cancel_after(call.header(CANCEL_AFTER.name)),
        webhook=body.webhook,
    )
    accepted = executions.start_offered(parts, slug, wish)
    started = accepted.started
    replayed = started.outcome == "replayed"
    queued = not replayed and executions.submit(parts, started.execution_id) == "watching"
    headers = {"Location": f"/api/marketplace/runs/{started.execution_id}"}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    http_status, run = 201, None
    seconds = executions.wait_seconds(call.header(PREFER.name))
    if seconds is not None:
        if _wait(started.execution_id, call.principal, seconds):
            headers["Preference-Applied"] = f"wait={seconds}"
        run = _run(started.execution_id, call.principal)
        http_status = 201 if run.completed_at is not None else 202
    status = run.status if run else "QUEUED"
    if run is None and not queued:  # an earlier run, or one not handed over or called back about
        status = _status(started.execution_id, call.principal)
    answer = RunStarted(
        execution_id=started.execution_id,
        status=status,
        message=_MESSAGES[status],
        estimated_seconds=accepted.estimated_seconds,
        credits_charged=accepted.price_credits,
        remaining_credits=whole_credits(started.remaining),
        run=run,
    )
    return Reply(answer, http_status, headers=headers)


def _wait(execution_id: uuid.UUID, consumer_id: uuid.UUID, seconds: int) -> bool:
    """Whether there was a place to wait for the run's end."""
    if not _waiting.take(str(consumer_id)):
        return False
    logs.add_to_log(waits=True)
    try:
        executions.wait_for_end(runtime(), execution_id, consumer_id, seconds=seconds)
    finally:
        _waiting.give_back(str(consumer_id))
    return True


def _status(execution_id: uuid.UUID, consumer_id: uuid.UUID) -> Status:
    """Raises ExecutionNotFound for a run that is not the consumer's."""
    with runtime().db.step() as connection:
        status: Status = executions.status_row(connection, execution_id, consumer_id).status
    return status


def _run(execution_id: uuid.UUID, consumer_id: uuid.UUID) -> Execution:
    parts = runtime()
    with parts.db.step() as connection:
        found = executions.execution_row(connection, execution_id, consumer_id)
        queue = None
        if found.finished_at is None:
            queue = executions.queue_of(connection, execution_id, parts.clock.now())
    return executions.shown(found, executions.signer(parts), queue)


def _cancel_after(told: str | None) -> int | None:
    """`90s`, `15m` or `2h` in seconds; raises InvalidRequest outside 5 s to 24 h."""
    if told is None:
        return None
    seconds = int(told[:-1]) * {"s": 1, "m": 60, "h": 3600}[told[-1]]
    if not 5 <= seconds <= 86_400:
        raise InvalidRequest("Cancel-After must be from 5s to 24h.")
    return seconds
