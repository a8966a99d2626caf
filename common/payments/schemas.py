"""Payments on the wire. `...Cents` are US cents; credits are whole unless they say otherwise."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from common.accounts.schemas import Country
from common.credits.schemas import BalanceOut
from common.http import AS_NUMBER, Flag, In, Moment, Out, Paging, Timestamp

PurchaseStatus = Literal[
    "pending", "paid", "expired", "partially_refunded", "refunded", "disputed", "lost"
]
PayoutStatus = Literal["pending", "processing", "completed", "failed"]
Url = Annotated[str, Field(min_length=8, max_length=2048)]
Reason = Annotated[str, Field(min_length=3, max_length=500)]


class PackageOut(Out):
    """An amount of the shop window."""

    credits: int
    price_cents: int
    price_display: str
    popular: bool


class PackagesOut(Out):
    """What can be bought: these amounts, or any between the least and the most."""

    packages: list[PackageOut]
    credits_per_dollar: int
    least_cents: int
    most_cents: int


class PackageIn(In):
    """An amount for the shop window."""

    price_cents: Annotated[int, Field(ge=1, le=100_000_000), AS_NUMBER]
    popular: Flag = False


class PackagesIn(In):
    """The whole shop window, in place of the present one."""

    packages: list[PackageIn] = Field(max_length=20)
    least_cents: Annotated[int, Field(ge=50, le=100_000_000), AS_NUMBER]
    most_cents: Annotated[int, Field(ge=50, le=100_000_000), AS_NUMBER]


class PurchaseIn(In):
    """How much to buy, in cents; a credit costs a cent."""

    amount_cents: Annotated[int, Field(ge=1, le=100_000_000), AS_NUMBER]
    return_url: Url | None = Field(
        None, description="Where to come back to; one of the installation's own origins"
    )


class PurchaseOpened(Out):
    """An order. Nothing is granted before it is paid at `checkoutUrl`; `newBalance` is as it is."""

    id: uuid.UUID
    status: PurchaseStatus
    credits_amount: int
    amount_paid: int
    price_cents: int
    new_balance: int
    checkout_url: str | None
    message: str


class RefundOut(Out):
    """Money that went back, or is on its way. Why is between staff: it stands in their record."""

    id: uuid.UUID
    amount_cents: int
    status: Literal["requested", "succeeded", "failed"]
    requested_at: Timestamp
    settled_at: Timestamp | None


class DisputeOut(Out):
    """A payment that a bank takes back, or tried to."""

    amount_cents: int
    status: Literal["open", "withdrawn", "won", "lost"]
    opened_at: Timestamp
    closed_at: Timestamp | None


class PurchaseItem(Out):
    """A purchase in a list."""

    id: uuid.UUID
    status: PurchaseStatus
    credits_amount: int
    amount_paid: int
    amount_paid_display: str
    created_at: Timestamp


class PurchaseOut(PurchaseItem):
    """A purchase and its receipt: what was paid, what went back, what was taken."""

    price_cents: int
    paid_at: Timestamp | None
    checkout_url: str | None
    receipt_url: str | None
    refunds: list[RefundOut]
    disputes: list[DisputeOut]
    balance: BalanceOut


class RefundIn(In):
    """What to give back of a purchase. The reference is the refund: it is done once."""

    reference: uuid.UUID = Field(description="Made by the caller; repeats of it change nothing")
    reason: Reason
    amount_cents: Annotated[int, Field(ge=1, le=100_000_000), AS_NUMBER] | None = Field(
        None, description="null: all that is left"
    )
    force: Flag = Field(
        False, description="Also what is spent already: the consumer then owes the rest"
    )


class RefundDone(Out):
    """A refund of a purchase, and how the wallet stands now."""

    done_now: bool
    refund: RefundOut
    wallet: BalanceOut


class PeriodOut(Out):
    """Earnings of a span, in cents, rounded down."""

    gross: int
    platform_fee: int
    net: int


class EarningsOut(Out):
    """How a developer stands, in cents. `pendingPayout` is on its way to the bank."""

    total_earnings: int
    total_earned: int
    available_balance: int
    pending_balance: int
    pending_payout: int
    total_paid_out: int
    platform_fee_rate: float
    minimum_payout: int
    clearing_days: float
    currency: str
    this_month: PeriodOut
    last_month: PeriodOut


class EarningOut(Out):
    """One captured run's share. Credits with up to six decimals."""

    id: uuid.UUID
    execution_id: uuid.UUID
    model_id: uuid.UUID
    model_slug: str
    model_title: str
    credits_earned: float
    platform_fee: float
    net_earning: float
    status: Literal["pending", "available", "refunded"]
    available_at: Timestamp
    created_at: Timestamp


class EarningsQuery(Paging):
    """Which earnings to list; times are UTC."""

    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")


class ModelEarningsOut(Out):
    """What one tars model brought in, in cents, rounded down."""

    model_id: uuid.UUID
    model_slug: str
    model_title: str
    total_runs: int
    total_earnings: int


class OnboardingIn(In):
    """Where Stripe sends the developer afterwards; the installation's own origins only."""

    return_url: Url | None = None
    refresh_url: Url | None = None
    country: Country | None = Field(
        None, description="Where the developer is paid; null: the profile's. Needed once"
    )


class OnboardingOut(Out):
    """A page at Stripe, for this developer, for a few minutes."""

    onboarding_url: str
    expires_at: Timestamp


class PayoutAccountOut(Out):
    """Whether a developer can be paid."""

    connected: bool
    details_submitted: bool
    payouts_enabled: bool


class PayoutIn(In):
    """How much to pay out, in cents; without an amount all that is due."""

    amount: Annotated[int, Field(ge=1, le=10_000_000_000), AS_NUMBER] | None = None


class PayoutsQuery(Paging):
    """Which payouts to list."""

    status: Literal["pending", "processing", "completed", "failed", "all"] = "all"


class PayoutOut(Out):
    """A payout, in cents."""

    id: uuid.UUID
    amount: int
    currency: str
    status: PayoutStatus
    stripe_transfer_id: str | None
    failure_code: str | None
    failure_message: str | None
    requested_at: Timestamp
    processed_at: Timestamp | None
    estimated_arrival: Timestamp


class DifferenceOut(Out):
    """Where our books and another's differ, in cents, or in the smallest unit of the currency that
    `what` names. null: that book has nothing of it."""

    id: uuid.UUID
    kind: str
    what: str
    ours: int | None
    theirs: int | None
    found_at: Timestamp
    seen_at: Timestamp


class DifferenceCloseIn(In):
    """How a difference was put right. The same reference is done once."""

    reference: uuid.UUID = Field(description="Made by the caller; repeats of it change nothing")
    reason: Reason


class DifferenceClosed(Out):
    """A difference that staff have closed; should it be found again it is a new one."""

    id: uuid.UUID
    done_now: bool


class EarningTermsIn(In):
    """After how long an earning is due, and the least payout. Old earnings keep their day."""

    clearing_days: Annotated[float, Field(ge=0, le=180), AS_NUMBER]
    minimum_payout_cents: Annotated[int, Field(ge=1, le=10_000_000), AS_NUMBER]


class EarningTermsOut(Out):
    """The terms of earnings and payouts."""

    clearing_days: float
    minimum_payout_cents: int


class PaymentsSwept(Out):
    """How many of each one round looked at."""

    purchases: int
    refunds: int
    payouts: int


class Reconciled(Out):
    """What a reconciliation read and how many differences are open now."""

    payments: int
    transactions: int
    repaired: int
    open_differences: int
