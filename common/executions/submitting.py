"""Hop 2: one attempt, written down before RunPod is called, and exactly one POST /run."""

import hashlib
import secrets
import uuid
from datetime import timedelta

from common import logs
from common.executions import queries
from common.executions.alarms import follow, set_alarm
from common.executions.queries import Begun
from common.executions.tools import Tools
from common.gateways.runpod import Refusal, SubmitRefused, SubmitUnknown
from common.tracing import step

log = logs.Log("executions")
FIRST_POLL = timedelta(seconds=10)
# RunPod's own limit falls a little before ours, so that it gives up first.
_MESSAGES = {
    Refusal.TOO_LARGE: ("PAYLOAD_TOO_LARGE", "The inputs are too large for this model."),
    Refusal.UNKNOWN_ENDPOINT: ("MODEL_UNAVAILABLE", "This model cannot be run at the moment."),
    Refusal.UNAUTHORIZED: ("MODEL_UNAVAILABLE", "This model cannot be run at the moment."),
}
_BUSY = ("GPU_UNAVAILABLE", "No GPU took the run in time. Your credits are back.")


def token_hash(token: str) -> bytes:
    """What is stored of a callback token: it has 192 random bits, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def submit(tools: Tools, execution_id: uuid.UUID) -> str:
    """Begins the next attempt if one is due and hands it to RunPod once.

    Safe to call at any time and twice: the database lets one caller through. Answers what
    happened: not_due, watching, noted, unknown, retry, failed, cancelled or stale.
    """
    attempt_id, token = uuid.uuid4(), secrets.token_urlsafe(24)
    with tools.db.step() as connection:
        begun = queries.begin_attempt(
            connection,
            execution_id,
            attempt_id=attempt_id,
            token_hash=token_hash(token),
            now=tools.clock.now(),
        )
    if begun is None:
        return "not_due"
    with step(tools.traces, "submit") as traced:
        traced.of(execution_id)
        set_alarm(tools, "/poll", execution_id, tools.clock.now() + FIRST_POLL)
        effect = _hand_over(tools, execution_id, attempt_id, token, begun)
        traced.of(execution_id, effect=effect)
    return effect


def _hand_over(
    tools: Tools, execution_id: uuid.UUID, attempt_id: uuid.UUID, token: str, begun: Begun
) -> str:
    try:
        job_id = tools.runpod.submit(
            begun.runpod_endpoint_id,
            payload=begun.payload,
            webhook_url=_webhook_url(tools, attempt_id, token),
            execution_timeout_ms=begun.execution_timeout_seconds * 1000,
            ttl_ms=(begun.queue_seconds + begun.execution_timeout_seconds) * 1000,
        )
    except SubmitRefused as refusal:
        return _refused(tools, execution_id, attempt_id, refusal)
    except SubmitUnknown as error:
        # There may be a job. Its callback adopts it; else the grace ends and another try begins.
        log.warning("submit without an answer", attemptId=attempt_id, reason=str(error))
        return "unknown"
    with tools.db.step() as connection:
        return queries.submitted(connection, attempt_id, job_id, tools.clock.now())


def _refused(
    tools: Tools, execution_id: uuid.UUID, attempt_id: uuid.UUID, refusal: SubmitRefused
) -> str:
    code, message = _MESSAGES.get(refusal.kind, _BUSY)
    if refusal.kind is Refusal.UNAUTHORIZED:
        log.critical("RunPod refuses our key", attemptId=attempt_id)
    with tools.db.step() as connection:
        effect = queries.rejected(
            connection,
            attempt_id,
            retryable=refusal.passing,
            code=code,
            message=message,
            error=str(refusal),
            now=tools.clock.now(),
        )
    log.warning("submit refused", attemptId=attempt_id, kind=refusal.kind, effect=effect)
    if effect == "retry":
        set_alarm(tools, "/submit", execution_id, tools.clock.now() + timedelta(seconds=20))
    elif effect in {"failed", "cancelled"}:
        follow(tools, execution_id)
    return effect


def _webhook_url(tools: Tools, attempt_id: uuid.UUID, token: str) -> str | None:
    """Where RunPod calls back; the URL is the only credential it can carry (runpod.md 2.4)."""
    base = tools.settings.public_url.rstrip("/")
    return f"{base}/api/webhooks/runpod/{attempt_id}/{token}" if base else None
