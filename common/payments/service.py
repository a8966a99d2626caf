"""The slice's surface: what functions and higher slices may call. Each verb has its file."""

from common.payments.buying import (
    buy,
    history,
    packages,
    purchase,
    purchase_count,
    set_packages,
)
from common.payments.connecting import connect, payout_account
from common.payments.earning import breakdown, earning_terms, earnings, set_terms, summary
from common.payments.hearing import hear, hear_connect
from common.payments.paying_out import payouts, request_payout
from common.payments.reconciling import (
    Difference,
    close_difference,
    days_apart,
    differences,
    note,
    reconcile,
    violations,
)
from common.payments.refunding import refund_purchase
from common.payments.sweeping import sweep_payments

__all__ = [
    "Difference",
    "breakdown",
    "buy",
    "close_difference",
    "connect",
    "days_apart",
    "differences",
    "earning_terms",
    "earnings",
    "hear",
    "hear_connect",
    "history",
    "note",
    "packages",
    "payout_account",
    "payouts",
    "purchase",
    "purchase_count",
    "reconcile",
    "refund_purchase",
    "request_payout",
    "set_packages",
    "set_terms",
    "summary",
    "sweep_payments",
    "violations",
]
