"""Reading the body of `/run` and `/runsync` (runpod.md 1.2 and 2.2)."""

import json
from typing import Any

from infra.local.runpod.endpoint import Settings
from infra.local.runpod.jobs import Policy
from infra.local.runpod.lifecycle import Submission

JSON = dict[str, Any]

SEVEN_DAYS_MS = 7 * 86_400_000
TEN_MINUTES_MS = 600_000
ONE_DAY_MS = 86_400_000
LONG_WAIT_RETENTION_SECONDS = 300.0


class BadRequest(ValueError):
    """The service would answer 400 with this text."""


def read_submission(
    body: bytes, settings: Settings, *, sync: bool, has_wait: bool = False
) -> Submission:
    """Check and read a submitted body. Unknown top-level keys are dropped, as the service does.

    Raises:
        BadRequest: too large, not a JSON object, no `input` object, or a policy out of bounds.
    """
    limit = settings.runsync_limit if sync else settings.run_limit
    if len(body) > limit:
        raise BadRequest(f"bad request: body: exceeded max body size of {limit // 1024**2}MiB")
    fields = _read_object(body)
    if not isinstance(fields.get("input"), dict):
        raise BadRequest("bad request: input: must be an object")
    webhook = fields.get("webhook") or None
    if webhook is not None and not isinstance(webhook, str):
        raise BadRequest("bad request: webhook: must be a string")
    retention = settings.sync_retention_seconds if sync else settings.retention_seconds
    if sync and has_wait:
        retention = max(retention, LONG_WAIT_RETENTION_SECONDS)
    return Submission(
        input=fields["input"],
        webhook=webhook,
        policy=_read_policy(fields.get("policy")),
        s3_config=fields.get("s3Config"),
        retention_seconds=retention,
        sync=sync,
    )


def _read_object(body: bytes) -> JSON:
    try:
        fields = json.loads(body)
    except ValueError as problem:
        raise BadRequest("bad request: body: not valid JSON") from problem
    if not isinstance(fields, dict):
        raise BadRequest("bad request: body: must be an object")
    return fields


def _read_policy(policy: Any) -> Policy:
    if policy is None:
        return Policy()
    if not isinstance(policy, dict):
        raise BadRequest("bad request: policy: must be an object")
    return Policy(
        execution_timeout_ms=_bounded(policy, "executionTimeout", TEN_MINUTES_MS, 5_000),
        ttl_ms=_bounded(policy, "ttl", ONE_DAY_MS, 10_000),
        low_priority=bool(policy.get("lowPriority", False)),
    )


def _bounded(policy: JSON, name: str, default: int, least: int) -> int:
    value = policy.get(name, default)
    if type(value) is not int or not least <= value <= SEVEN_DAYS_MS:
        raise BadRequest(f"bad request: policy.{name}: must be {least} to {SEVEN_DAYS_MS} ms")
    return value
