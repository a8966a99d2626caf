"""API keys on the wire. A key itself is shown once, when it is made."""

import uuid
from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.http import AS_NUMBER, In, Moment, Out, Timestamp
from common.text import Line

# Events tell of runs and of money; whoever may set webhooks is told of all of them.
ConsumerScope = Literal["runs:read", "runs:write", "credits:read", "events:read", "webhooks:write"]
DeveloperScope = Literal[
    "models:read", "models:write", "earnings:read", "events:read", "webhooks:write"
]
Period = Literal["day", "month"]
KeyName = Annotated[Line, Field(min_length=1, max_length=100, examples=["batch job"])]


class KeyIn(In):
    """A key that a developer wants."""

    name: KeyName
    scopes: list[DeveloperScope] = Field(min_length=1, max_length=5, examples=[["models:read"]])
    expires_at: Moment | None = None


class ConsumerKeyIn(In):
    """A key that a consumer wants. `spendLimitCredits` holds for each `spendPeriod` of UTC."""

    name: KeyName
    scopes: list[ConsumerScope] = Field(
        min_length=1, max_length=5, examples=[["runs:read", "runs:write", "credits:read"]]
    )
    expires_at: Moment | None = None
    spend_limit_credits: (
        Annotated[int, Field(ge=1, le=10_000_000, examples=[1000]), AS_NUMBER] | None
    ) = None
    spend_period: Period | None = Field(None, examples=["day"])

    @model_validator(mode="after")
    def _limit_has_period(self) -> "ConsumerKeyIn":
        if (self.spend_limit_credits is None) != (self.spend_period is None):
            raise ValueError("spendLimitCredits and spendPeriod go together")
        return self


class RotateIn(In):
    """How long the old key works beside its successor."""

    overlap_hours: Annotated[int, Field(ge=0, le=168, examples=[24]), AS_NUMBER] = 24


class KeyOut(Out):
    """A key without the key. `spentCredits` of the limit are held or spent in the present period.

    `state`: live, expired or revoked. `lastUsedAt` is right to the hour.
    """

    id: uuid.UUID
    name: str
    prefix: str
    last4: str
    scopes: list[str]
    state: Literal["live", "expired", "revoked"]
    spend_limit_credits: int | None
    spend_period: Period | None
    spent_credits: float | None
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None


class KeyMade(KeyOut):
    """A new key. Keep `key` now: it is never shown again, not even to a repeat of the request."""

    key: str | None
