"""Credits on the wire: whole credits, since prices and grants are whole."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from common.http import AS_NUMBER, In, Out, Timestamp


class BalanceOut(Out):
    """What a consumer can spend now; open holds are already taken off.

    `owed`: credits that a payment taken back by a bank left unpaid; the next purchase settles them
    first. While `frozen` nothing can be started, for `frozenReason`.
    """

    balance: int
    display_balance: str
    held: int
    owed: int
    frozen: bool
    frozen_reason: str | None


class MovementOut(Out):
    """One posting. Credits with up to six decimals, positive when they came in."""

    id: int
    kind: str
    description: str
    reference: uuid.UUID
    account: Literal["wallet", "debt"]
    credits: float
    at: Timestamp


class AdjustmentIn(In):
    """A correction of a balance by hand, up or down. The same reference is done once."""

    consumer_id: uuid.UUID
    credits: Annotated[int, Field(ge=-1_000_000, le=1_000_000), AS_NUMBER] = Field(
        description="Not 0; below 0 takes away"
    )
    reason: str = Field(min_length=3, max_length=500)
    reference: uuid.UUID = Field(description="Made by the caller; repeats of it change nothing")


class FreezeIn(In):
    """Why a wallet is frozen or thawed. The same reference is done once."""

    reason: str = Field(min_length=3, max_length=500, description="Its owner is told this")
    reference: uuid.UUID = Field(description="Made by the caller; repeats of it change nothing")


class DeedOut(Out):
    """What staff did to a wallet, and how it stands now."""

    reference: uuid.UUID
    consumer_id: uuid.UUID
    done_now: bool
    wallet: BalanceOut


class GrantIn(In):
    """Credits that staff give to a consumer. The same reference is granted once."""

    consumer_id: uuid.UUID
    credits: Annotated[int, Field(ge=1, le=1_000_000), AS_NUMBER]
    reason: str = Field(min_length=3, max_length=500)
    reference: uuid.UUID = Field(description="Made by the caller; repeats of it change nothing")


class GrantOut(Out):
    """What a grant did."""

    reference: uuid.UUID
    consumer_id: uuid.UUID
    credits: int
    granted_now: bool
    new_balance: int
