"""Webhooks on the wire."""

import uuid
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from common.http import AS_NUMBER, Flag, In, Moment, Out, Timestamp
from common.text import Line

ConsumerEvent = Literal[
    "run.started", "run.completed", "run.failed", "run.timed_out", "run.cancelled",
    "credits.purchased", "webhook.disabled",
]  # fmt: skip
DeveloperEvent = Literal[
    "earning.created", "payout.paid", "payout.failed", "model.suspended", "model.reinstated",
    "webhook.disabled",
]  # fmt: skip
RunEvent = Literal["run.started", "run.completed", "run.failed", "run.timed_out", "run.cancelled"]
MOST_TYPES = len(get_args(ConsumerEvent))
WebhookUrl = Annotated[
    str, Field(min_length=1, max_length=2048, examples=["https://example.com/hooks/tarsify"])
]
Description = Annotated[Line, Field(max_length=200, examples=["production"])]


class RunWebhook(In):
    """Whom to tell of one run. No event type means all of them."""

    url: WebhookUrl
    event_types: list[RunEvent] = Field(
        default_factory=list, max_length=5, examples=[["run.completed"]]
    )


class ConsumerWebhookIn(In):
    """An address that is told of a consumer's events; no event type means all."""

    url: WebhookUrl
    event_types: list[ConsumerEvent] = Field(
        default_factory=list, max_length=MOST_TYPES, examples=[["run.completed", "run.failed"]]
    )
    description: Description | None = None


class DeveloperWebhookIn(In):
    """An address that is told of a developer's events; no event type means all."""

    url: WebhookUrl
    event_types: list[DeveloperEvent] = Field(
        default_factory=list, max_length=MOST_TYPES, examples=[["payout.paid"]]
    )
    description: Description | None = None


class _Changes(In):
    url: WebhookUrl = Field(default_factory=str)
    description: Description | None = None
    enabled: Flag = Field(default_factory=bool)


class ConsumerWebhookChanges(_Changes):
    """Changes to a webhook: a field left out stays as it is. `enabled` true starts it again."""

    event_types: list[ConsumerEvent] = Field(default_factory=list, max_length=MOST_TYPES)


class DeveloperWebhookChanges(_Changes):
    """Changes to a webhook: a field left out stays as it is. `enabled` true starts it again."""

    event_types: list[DeveloperEvent] = Field(default_factory=list, max_length=MOST_TYPES)


class SecretRotation(In):
    """How long the old secret signs beside the new one."""

    overlap_hours: Annotated[int, Field(ge=0, le=168, examples=[24]), AS_NUMBER] = 24


class ReplayIn(In):
    """What to send again: one delivery, or everything since a moment."""

    delivery_id: Annotated[int, Field(ge=1, le=2**53), AS_NUMBER] | None = None
    since: Moment | None = Field(None, examples=["2026-01-01T00:00:00Z"])

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.delivery_id is None) == (self.since is None):
            raise ValueError("say either deliveryId or since")
        return self


class DeliveryHealth(Out):
    """How deliveries go: what waits now, and what ended in the last 24 hours."""

    waiting: int
    delivered: int
    failed: int


class WebhookOut(Out):
    """A webhook. `disabledFor`: gone (410), failing (the whole schedule in vain) or owner."""

    id: uuid.UUID
    url: str
    event_types: list[str]
    description: str | None
    enabled: bool
    disabled_at: Timestamp | None
    disabled_for: Literal["gone", "failing", "owner"] | None
    failing_since: Timestamp | None
    health: DeliveryHealth
    created_at: Timestamp


class WebhookMade(WebhookOut):
    """A new webhook or secret. Keep `secret` now: it is not shown again."""

    secret: str | None


class SecretOut(Out):
    """What signs the webhooks of single runs (Standard Webhooks, `whsec_`)."""

    secret: str


class TryOut(Out):
    """One try of a delivery; ms."""

    at: Timestamp
    status: int | None
    error: str | None
    took_ms: int


class DeliveriesQuery(In):
    """Which deliveries to list: the ones older than `before`."""

    before: int | None = Field(None, ge=1)
    limit: int = Field(20, ge=1, le=100)


class DeliveryOut(Out):
    """One event for one webhook; `dueAt` is when it is tried next."""

    id: int
    event_id: str
    type: str
    state: Literal["waiting", "delivered", "failed", "dropped"]
    attempts: int
    due_at: Timestamp | None
    tries: list[TryOut]


class Replayed(Out):
    """How many deliveries are made again, the oldest 1,000 at most; `until` is when the last of
    them was made, from which the next request goes on.
    """

    deliveries: int
    until: Timestamp | None
