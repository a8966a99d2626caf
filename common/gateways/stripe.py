"""Stripe: checkout, refunds, payouts, and what it says of them. Amounts are US cents.

Events are only hints here, once their signature is checked: what happened is always asked for anew,
so that a repeated, late or reordered event cannot matter (money-and-faults.md 6, "Stripe inbound").
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from common.boundary import assert_no_session
from common.gateways.stripe_reports import (
    NO_ACCOUNT,
    Account,
    Checkout,
    Payment,
    StripeRefused,
    StripeUnavailable,
    Transfer,
    read_account,
    read_payment,
    read_session,
    read_transfer,
)
from common.settings import Settings

__all__ = [
    "Account",
    "Checkout",
    "Payment",
    "Stripe",
    "StripeRefused",
    "StripeUnavailable",
    "Transfer",
]
CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 20.0
# One more try by the SDK, under the same idempotency key; what is still unclear then is for later.
RETRIES = 1
PAGE = 100
HOME = "US"  # the platform's country; accounts elsewhere are paid across a border


class Stripe:
    """One client per process, made on first use and after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._pid = 0

    @property
    def ready(self) -> bool:
        """Whether there is a key at all."""
        return bool(self._settings.stripe_secret_key)

    def open_checkout(
        self, *, purchase_id: str, cents: int, email: str | None, return_url: str
    ) -> Checkout:
        """Where the shopper pays; the same purchase is the same session for a day.

        Raises StripeRefused or StripeUnavailable.
        """
        given: dict[str, Any] = {
            "mode": "payment",
            # Cards answer at once; methods that clear days later would leave orders open.
            "payment_method_types": ["card"],
            "client_reference_id": purchase_id,
            "metadata": {"purchase_id": purchase_id},
            "payment_intent_data": {"metadata": {"purchase_id": purchase_id}},
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": cents,
                        "product_data": {"name": f"{cents:,} Tarsify credits"},
                    },
                }
            ],
            "success_url": f"{return_url}?purchase={purchase_id}&checkout=success",
            "cancel_url": f"{return_url}?purchase={purchase_id}&checkout=cancelled",
        }
        if email:
            given["customer_email"] = email
        with self._call() as stripe:
            made = stripe.v1.checkout.sessions.create(
                given, {"idempotency_key": f"checkout-{purchase_id}"}
            )
            return Checkout(made.id, made.url)

    def payment(self, payment_intent_id: str) -> Payment:
        """A payment with its fee, refunds and disputes, as they are now."""
        with self._call() as stripe:
            intent = stripe.v1.payment_intents.retrieve(
                payment_intent_id, {"expand": ["latest_charge.balance_transaction"]}
            ).to_dict()
            sessions = stripe.v1.checkout.sessions.list(
                {"payment_intent": payment_intent_id, "limit": 1}
            ).to_dict()["data"]
            refunds = _all(stripe.v1.refunds.list(_of(payment_intent_id)))
            disputed = (intent.get("latest_charge") or {}).get("disputed")
            disputes = _all(stripe.v1.disputes.list(_of(payment_intent_id))) if disputed else []
            return read_payment(
                intent,
                sessions=sessions,
                refunds=refunds,
                disputes=disputes,
                live=self._settings.live_money,
            )

    def session(self, session_id: str) -> Payment:
        """A checkout session and, once somebody tried to pay, its payment."""
        with self._call() as stripe:
            session = stripe.v1.checkout.sessions.retrieve(session_id).to_dict()
        intent = session.get("payment_intent")
        return self.payment(intent) if intent else read_session(session)

    def refund(self, *, refund_id: str, payment_intent_id: str, cents: int) -> None:
        """Sends money back; the same refund id is one refund for a day.

        Raises StripeRefused when there is certainly none, StripeUnavailable when nobody can say.
        """
        given = {
            "payment_intent": payment_intent_id,
            "amount": cents,
            "metadata": {"refund_id": refund_id},
        }
        with self._call() as stripe:
            stripe.v1.refunds.create(given, {"idempotency_key": f"refund-{refund_id}"})

    def open_account(
        self, *, developer_id: str, number: int, email: str | None, country: str
    ) -> Account:
        """A developer's account to be paid to; the same number is the same account for a day.

        Raises StripeRefused (about the country as well) or StripeUnavailable.
        """
        given: dict[str, Any] = {
            "type": "express",
            "country": country,
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"developer_id": developer_id},
        }
        if country != HOME:
            given["tos_acceptance"] = {"service_agreement": "recipient"}
        if email:
            given["email"] = email
        with self._call() as stripe:
            made = stripe.v1.accounts.create(
                given, {"idempotency_key": f"account-{developer_id}-{number}-{country}"}
            )
            return read_account(made.to_dict())

    def account(self, account_id: str) -> Account:
        """How an account stands now; one that Stripe does not show us any more is closed."""
        from stripe import StripeError

        with self._call() as stripe:
            try:
                return read_account(stripe.v1.accounts.retrieve(account_id).to_dict())
            except StripeError as error:
                if error.error is None or error.error.code not in NO_ACCOUNT:
                    raise
                return Account(account_id, None, False, False, closed=True)

    def onboarding(
        self, account_id: str, *, return_url: str, refresh_url: str
    ) -> tuple[str, datetime]:
        """A page where the developer gives Stripe what it needs, and until when it works (UTC)."""
        given = {
            "account": account_id,
            "type": "account_onboarding",
            "return_url": return_url,
            "refresh_url": refresh_url,
        }
        with self._call() as stripe:
            link = stripe.v1.account_links.create(given)
            return link.url, datetime.fromtimestamp(link.expires_at, UTC)

    def transfer(self, *, payout_id: str, account_id: str, cents: int) -> Transfer:
        """Sends a payout; the same payout id is one transfer for a day.

        Raises StripeRefused when there is certainly none, StripeUnavailable when nobody can say.
        """
        given = {
            "amount": cents,
            "currency": "usd",
            "destination": account_id,
            "transfer_group": payout_id,
            "metadata": {"payout_id": payout_id},
        }
        with self._call() as stripe:
            made = stripe.v1.transfers.create(given, {"idempotency_key": f"payout-{payout_id}"})
            return read_transfer(made.to_dict())

    def transfers_of(self, payout_id: str) -> list[Transfer]:
        """What was ever sent for a payout; asked when its idempotency key is forgotten."""
        with self._call() as stripe:
            found = _all(stripe.v1.transfers.list({"transfer_group": payout_id, "limit": PAGE}))
            return [read_transfer(each) for each in found]

    def transfer_of(self, transfer_id: str) -> Transfer:
        """A transfer as it is now, with what came back of it."""
        with self._call() as stripe:
            return read_transfer(stripe.v1.transfers.retrieve(transfer_id).to_dict())

    def payments_since(self, since: datetime) -> list[dict[str, Any]]:
        """Payments that succeeded, the newest first: id, purchaseId, amountCents, currency,
        createdAt. The amount is in the smallest unit of the currency."""
        with self._call() as stripe:
            found = _all(stripe.v1.payment_intents.list(_since(since)))
        return [
            {
                "id": each["id"],
                "purchaseId": (each.get("metadata") or {}).get("purchase_id"),
                "amountCents": each["amount_received"],
                "currency": each["currency"],
                "createdAt": _iso(each["created"]),
            }
            for each in found
            if each["status"] == "succeeded"
        ]

    def transactions_since(self, since: datetime) -> list[dict[str, Any]]:
        """Lines of Stripe's own books: id, type, source, paymentIntentId, netCents, currency,
        createdAt. The net is in the smallest unit of the currency.

        The source of what came back of a transfer is the transfer. The payment is that of a
        charge, refund or dispute; other lines have none.
        """
        given = {**_since(since), "expand": ["data.source"]}
        with self._call() as stripe:
            found = _all(stripe.v1.balance_transactions.list(given))
        return [
            {
                "id": each["id"],
                "type": each["type"],
                "source": _source(each.get("source")),
                "paymentIntentId": _payment_intent(each.get("source")),
                "netCents": each["net"],
                "currency": each["currency"],
                "createdAt": _iso(each["created"]),
            }
            for each in found
        ]

    @contextmanager
    def _call(self) -> Iterator[Any]:
        """Stripe's client; its errors become ours, and none carries the key or a vendor's text."""
        assert_no_session()
        import stripe

        if not self.ready:
            raise StripeUnavailable("no key")
        try:
            yield self._connected()
        except stripe.IdempotencyError as error:  # the key was used: something may well exist
            raise StripeUnavailable(type(error).__name__) from error
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            code = error.code or "invalid_request"
            raise StripeRefused(code, about=error.param) from error
        except stripe.StripeError as error:
            raise StripeUnavailable(type(error).__name__) from error

    def _connected(self) -> Any:
        if self._client is None or self._pid != os.getpid():
            with self._lock:
                if self._client is None or self._pid != os.getpid():
                    self._client, self._pid = self._connect(), os.getpid()
        return self._client

    def _connect(self) -> Any:
        from stripe import RequestsClient, StripeClient

        return StripeClient(
            self._settings.stripe_secret_key,
            base_addresses={"api": self._settings.stripe_api_url},
            max_network_retries=RETRIES,
            http_client=RequestsClient(timeout=(CONNECT_SECONDS, ANSWER_SECONDS)),
        )


def _all(pages: Any) -> list[dict[str, Any]]:
    return [each.to_dict() for each in pages.auto_paging_iter()]


def _of(payment_intent_id: str) -> dict[str, Any]:
    return {"payment_intent": payment_intent_id, "limit": PAGE}


def _since(moment: datetime) -> dict[str, Any]:
    return {"created": {"gte": int(moment.timestamp())}, "limit": PAGE}


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _payment_intent(source: Any) -> str | None:
    intent = source.get("payment_intent") if isinstance(source, dict) else None
    return str(intent) if intent else None


def _source(source: Any) -> str | None:
    if not isinstance(source, dict):
        return source if isinstance(source, str) else None
    if source.get("object") == "transfer_reversal":
        return str(source["transfer"])
    return str(source["id"])
