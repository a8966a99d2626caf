"""Credits on the wire: whole credits, since prices and grants are whole."""

import uuid

from pydantic import Field

from common.http import In, Out


class BalanceOut(Out):
    """What a consumer can spend now; open holds are already taken off."""

    balance: int
    display_balance: str
    held: int


class GrantIn(In):
    """Credits that staff give to a consumer. The same reference is granted once."""

    consumer_id: uuid.UUID
    credits: int = Field(ge=1, le=1_000_000)
    reason: str = Field(min_length=3, max_length=500)
    reference: uuid.UUID = Field(description="Made by the caller; repeats of it change nothing")


class GrantOut(Out):
    """What a grant did."""

    reference: uuid.UUID
    consumer_id: uuid.UUID
    credits: int
    granted_now: bool
    new_balance: int
