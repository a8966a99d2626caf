"""Purchases, earnings and payouts, for reading. Only functions.sql writes them, but for terms."""

import uuid
from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from common.db import Table

Moment = DateTime(timezone=True)


class PackageRow(Table):
    """An amount that the shop window shows, in cents; a credit costs a cent."""

    __tablename__ = "credit_packages"

    price_cents: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    popular: Mapped[bool] = mapped_column(server_default=text("false"))


class PurchaseTermsRow(Table):
    """One row: the least and the most that can be bought at once, in cents."""

    __tablename__ = "purchase_terms"

    id: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    least_cents: Mapped[int]
    most_cents: Mapped[int]


class PurchaseRow(Table):
    """An order for credits and what became of it. Amounts in cents."""

    __tablename__ = "purchases"
    __table_args__ = (
        UniqueConstraint("consumer_id", "idempotency_key"),
        Index("ix_purchases_of_consumer", "consumer_id", text("created_at DESC"), text("id DESC")),
        Index(
            "ix_purchases_due",
            "next_check_at",
            "id",
            postgresql_where=text("next_check_at IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    consumer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("consumers.id"))
    amount_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(Text, server_default=text("'usd'"))
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending'"))
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    session_id: Mapped[str | None] = mapped_column(Text, unique=True)
    checkout_url: Mapped[str | None] = mapped_column(Text)
    payment_intent_id: Mapped[str | None] = mapped_column(Text, unique=True)
    charge_id: Mapped[str | None] = mapped_column(Text, unique=True)
    fee_cents: Mapped[int | None]
    receipt_url: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    paid_at: Mapped[datetime | None] = mapped_column(Moment)
    next_check_at: Mapped[datetime | None] = mapped_column(Moment)


class RefundRow(Table):
    """Money of a purchase that went back, or is on its way."""

    __tablename__ = "purchase_refunds"
    __table_args__ = (
        Index("ix_purchase_refunds_purchase_id", "purchase_id"),
        Index(
            "ix_purchase_refunds_due",
            "next_try_at",
            "id",
            postgresql_where=text("next_try_at IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    purchase_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("purchases.id"))
    refund_id: Mapped[str | None] = mapped_column(Text, unique=True)
    amount_cents: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(Moment)
    tried_at: Mapped[datetime | None] = mapped_column(Moment)
    next_try_at: Mapped[datetime | None] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)


class DisputeRow(Table):
    """A payment that the payer's bank takes back, or tried to."""

    __tablename__ = "disputes"
    __table_args__ = (Index("ix_disputes_purchase_id", "purchase_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    dispute_id: Mapped[str] = mapped_column(Text, unique=True)
    purchase_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("purchases.id"))
    amount_cents: Mapped[int]
    fee_cents: Mapped[int] = mapped_column(server_default=text("0"))
    fee_returned_cents: Mapped[int] = mapped_column(server_default=text("0"))
    reason: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)


class EarningRow(Table):
    """What one captured run brought its developer, in micro-credits, and from when it is due."""

    __tablename__ = "earnings"
    __table_args__ = (
        Index("ix_earnings_of_developer", "developer_id", text("earned_at DESC"), "execution_id"),
        Index(
            "ix_earnings_clearing",
            "developer_id",
            "available_at",
            postgresql_include=["net"],
            postgresql_where=text("reversed_at IS NULL"),
        ),
    )

    execution_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    developer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("developers.id"))
    tars_model_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tars_models.id"))
    gross: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    net: Mapped[int | None] = mapped_column(BigInteger, Computed("(gross - fee)", persisted=True))
    earned_at: Mapped[datetime] = mapped_column(Moment)
    available_at: Mapped[datetime] = mapped_column(Moment)
    reversed_at: Mapped[datetime | None] = mapped_column(Moment)


class EarningTermsRow(Table):
    """One row: after how many seconds an earning is due, and the least payout in cents."""

    __tablename__ = "earning_terms"

    id: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    clearing_seconds: Mapped[int]
    least_payout_cents: Mapped[int]


class PayoutAccountRow(Table):
    """A developer's account at Stripe, as it was seen last. One of a developer's is open."""

    __tablename__ = "payout_accounts"
    __table_args__ = (
        Index(
            "uq_payout_accounts_open",
            "developer_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_payout_accounts_developer_id", "developer_id"),
    )

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    developer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("developers.id"))
    details_submitted: Mapped[bool] = mapped_column(server_default=text("false"))
    payouts_enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    updated_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)


class PayoutRow(Table):
    """Money on its way to a developer, in cents."""

    __tablename__ = "payouts"
    __table_args__ = (
        UniqueConstraint("developer_id", "idempotency_key"),
        Index(
            "ix_payouts_of_developer", "developer_id", text("requested_at DESC"), text("id DESC")
        ),
        Index(
            "ix_payouts_due", "next_try_at", "id", postgresql_where=text("next_try_at IS NOT NULL")
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    developer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("developers.id"))
    account_id: Mapped[str] = mapped_column(Text)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    asked_cents: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending'"))
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    transfer_id: Mapped[str | None] = mapped_column(Text, unique=True)
    returned_cents: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    failure_code: Mapped[str | None] = mapped_column(Text)
    failure_message: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(Moment)
    tried_at: Mapped[datetime | None] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime | None] = mapped_column(Moment)
    processed_at: Mapped[datetime | None] = mapped_column(Moment)


class StripeEventRow(Table):
    """An event that was acted upon, and what it did."""

    __tablename__ = "stripe_events"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    effect: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Moment)


class StripeTransactionRow(Table):
    """A line of Stripe's own books, in cents or whatever the smallest unit of the currency is."""

    __tablename__ = "stripe_transactions"
    __table_args__ = (Index("ix_stripe_transactions_source", "source"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    net_cents: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Moment)
    currency: Mapped[str] = mapped_column(Text)


class StripePaymentRow(Table):
    """A payment that Stripe took, in cents."""

    __tablename__ = "stripe_payments"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ReconciliationRow(Table):
    """A round that read and compared all of Stripe's books; how much it read."""

    __tablename__ = "reconciliations"

    began_at: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    payments: Mapped[int]
    transactions: Mapped[int]


class DifferenceRow(Table):
    """Where two books differ, from when it was found until it was gone."""

    __tablename__ = "reconciliation_differences"
    __table_args__ = (
        Index(
            "uq_reconciliation_differences_open",
            "kind",
            "what",
            unique=True,
            postgresql_where=text("cleared_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    what: Mapped[str] = mapped_column(Text)
    ours: Mapped[int | None] = mapped_column(BigInteger)
    theirs: Mapped[int | None] = mapped_column(BigInteger)
    found_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    cleared_at: Mapped[datetime | None] = mapped_column(Moment)
    day: Mapped[date | None]
