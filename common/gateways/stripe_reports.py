"""What Stripe's objects say, reduced to what our books need. Amounts are US cents."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from common.gateways.errors import GatewayError

# The one currency of our books. What Stripe keeps in another one is no number of cents.
DOLLARS = "usd"
# Stripe's words for an account that is deleted, or that does not let us in any more.
NO_ACCOUNT = {"account_invalid", "resource_missing"}


class StripeRefused(GatewayError):
    """Stripe certainly did not do it. `code` is its own word for why; never shown to people.

    `about`: the parameter that it did not like, if it named one.
    """

    def __init__(self, code: str, *, about: str | None = None) -> None:
        super().__init__(code)
        self.code, self.about = code, about


class StripeUnavailable(GatewayError):
    """Stripe did not answer, or not in a way that says whether anything happened."""


@dataclass(frozen=True)
class Checkout:
    """A session and the page where it is paid."""

    session_id: str
    url: str


@dataclass(frozen=True)
class Payment:
    """A purchase as Stripe has it. `purchase_id`: what we wrote on it when it was made.

    `facts` is what purchase_observe reads: sessionId, sessionStatus, paid, amountCents, currency,
    paymentIntentId, chargeId, feeCents, receiptUrl, refunds, disputes.
    """

    purchase_id: uuid.UUID | None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """A developer's account at Stripe."""

    id: str
    developer_id: uuid.UUID | None
    details_submitted: bool
    payouts_enabled: bool
    closed: bool = False
    """Rejected by Stripe, or not ours to use any more; nothing opens it again."""


@dataclass(frozen=True)
class Transfer:
    """Money sent to an account, and what came back of it."""

    id: str
    amount_cents: int
    reversed_cents: int


def read_session(session: dict[str, Any]) -> Payment:
    """A session that nobody tried to pay yet."""
    return Payment(
        _uuid((session.get("metadata") or {}).get("purchase_id")),
        {
            "sessionId": session["id"],
            "sessionStatus": session["status"],
            "paid": False,
            "refunds": [],
            "disputes": [],
        },
    )


def read_payment(
    intent: dict[str, Any],
    *,
    sessions: list[dict[str, Any]],
    refunds: list[dict[str, Any]],
    disputes: list[dict[str, Any]],
    live: bool,
) -> Payment:
    """A payment with all that belongs to it. One of the other kind of money never counts."""
    session = sessions[0] if sessions else {}
    charge = intent.get("latest_charge") or {}
    entry = charge.get("balance_transaction") or {}
    return Payment(
        _uuid((intent.get("metadata") or {}).get("purchase_id")),
        {
            "sessionId": session.get("id"),
            "sessionStatus": session.get("status"),
            "paid": intent["status"] == "succeeded" and intent["livemode"] is live,
            "amountCents": intent.get("amount_received"),
            "currency": intent["currency"],
            "paymentIntentId": intent["id"],
            "chargeId": charge.get("id"),
            "feeCents": entry.get("fee") if entry.get("currency") == DOLLARS else None,
            "receiptUrl": charge.get("receipt_url"),
            "refunds": [_refund(each) for each in reversed(refunds)],
            "disputes": [_dispute(each) for each in reversed(disputes)],
        },
    )


def read_account(account: dict[str, Any]) -> Account:
    """An account can be paid once Stripe lets transfers in and payouts out."""
    transfers = (account.get("capabilities") or {}).get("transfers") == "active"
    barred = (account.get("requirements") or {}).get("disabled_reason") or ""
    return Account(
        account["id"],
        _uuid((account.get("metadata") or {}).get("developer_id")),
        bool(account.get("details_submitted")),
        bool(account.get("payouts_enabled")) and transfers,
        barred.startswith("rejected."),
    )


def read_transfer(transfer: dict[str, Any]) -> Transfer:
    return Transfer(transfer["id"], transfer["amount"], transfer.get("amount_reversed") or 0)


def _refund(refund: dict[str, Any]) -> dict[str, Any]:
    own = _uuid((refund.get("metadata") or {}).get("refund_id"))
    return {
        "id": refund["id"],
        "ownId": str(own) if own else None,
        "amountCents": refund["amount"],
        "status": refund["status"],
    }


def _dispute(dispute: dict[str, Any]) -> dict[str, Any]:
    """Lines of the books with a negative amount took the money, positive ones brought it back."""
    entries = dispute.get("balance_transactions") or []
    taken = [each for each in entries if each["amount"] < 0]
    returned = [each for each in entries if each["amount"] > 0]
    taken_cents = -sum(each["amount"] for each in taken if each["currency"] == DOLLARS)
    return {
        "id": dispute["id"],
        # What the bank really took, once it has; what it announced until then.
        "amountCents": taken_cents or dispute["amount"],
        "status": dispute["status"],
        "reason": dispute["reason"],
        "withdrawn": bool(taken),
        "feeCents": sum(each["fee"] for each in taken if each["currency"] == DOLLARS),
        "reinstated": bool(returned),
        "feeReturnedCents": -sum(each["fee"] for each in returned if each["currency"] == DOLLARS),
    }


def _uuid(value: Any) -> uuid.UUID | None:
    """Our own id on an object of Stripe's; anybody may have written anything there."""
    try:
        return uuid.UUID(str(value)) if value else None
    except ValueError:
        return None
