"""Analytics on the wire. Cents may have decimals here: GPU seconds cost parts of them."""

import uuid

from pydantic import Field

from common.http import Moment, Out, Paging


class MarginsQuery(Paging):
    """Since when; times are UTC."""

    since: Moment | None = Field(None, alias="from")


class MarginOut(Out):
    """A model's runs: what consumers paid, our share, and what its GPU time cost, in cents.

    Costs include runs that failed and tests; they are an estimate from measured seconds and dated
    list prices.
    """

    model_id: uuid.UUID
    model_slug: str
    model_title: str
    base_model_slug: str
    charged_runs: int
    gross_cents: float
    fee_cents: float
    gpu_cost_cents: float
    margin_cents: float
