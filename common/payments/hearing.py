"""Stripe's events. A signed event tells us where to look; what is true is asked for."""

from typing import Any

from common import logs
from common.errors import BadSignature, PaymentsUnavailable
from common.gateways.stripe_events import Event, NotFromStripe, read_event
from common.gateways.stripe_reports import Payment, StripeRefused, StripeUnavailable
from common.payments import queries
from common.payments.connecting import keep_account
from common.payments.observing import observe
from common.payments.paying_out import follow_transfer
from common.payments.tools import Tools

log = logs.Log("payments")
ABOUT_ACCOUNTS = {"account.updated", "account.application.deauthorized"}


def hear(tools: Tools, payload: bytes, signature: str | None) -> str:
    """An event of our own account; answers what it changed.

    Raises PaymentsUnavailable (no secret, or Stripe cannot be asked: it will send the event
    again) or BadSignature.
    """
    event = _checked(tools, payload, signature, tools.settings.stripe_webhook_secrets)
    if event.account_id is not None:
        return _ignored(tools, event, "another account's")
    return _asked(tools, event, _own)


def hear_connect(tools: Tools, payload: bytes, signature: str | None) -> str:
    """An event of a connected account, under a secret of its own; raises as `hear`."""
    secrets = tools.settings.stripe_connect_webhook_secrets
    event = _checked(tools, payload, signature, secrets)
    return _asked(tools, event, _connected)


def _checked(
    tools: Tools, payload: bytes, signature: str | None, secrets: tuple[str, ...]
) -> Event:
    """Without a secret nothing can be checked, so nothing is accepted."""
    if not secrets or not tools.stripe.ready:
        raise PaymentsUnavailable
    try:
        return read_event(payload, signature, secrets)
    except NotFromStripe:
        raise BadSignature from None


def _asked(tools: Tools, event: Event, follow: Any) -> str:
    if event.livemode != tools.settings.live_money:
        return _ignored(tools, event, "livemode")
    try:
        effect: str = follow(tools, event)
    except StripeRefused as error:
        return _ignored(tools, event, f"refused: {error.code}")
    except StripeUnavailable as error:
        log.warning("event not followed", exception=error, event=event.id, type=event.type)
        raise PaymentsUnavailable from None
    log.info("event", event=event.id, type=event.type, effect=effect)
    return effect


def _own(tools: Tools, event: Event) -> str:
    if event.type.startswith(("transfer.reversed", "transfer.updated")):
        return follow_transfer(tools, str(event.object["id"]), event=event.note)
    payment = _payment(tools, event)
    if payment is None:
        return _ignored(tools, event, "not followed")
    if payment.purchase_id is None:
        return _ignored(tools, event, "not ours")
    return observe(tools, payment.purchase_id, payment, event=event.note)


def _payment(tools: Tools, event: Event) -> Payment | None:
    """The payment that an event is about, as it is now."""
    of = event.object
    if event.type.startswith("checkout.session."):
        return tools.stripe.session(str(of["id"]))
    if event.type.startswith("payment_intent."):
        return tools.stripe.payment(str(of["id"]))
    if event.type.startswith(("charge.", "refund.")) and of.get("payment_intent"):
        return tools.stripe.payment(str(of["payment_intent"]))
    return None


def _connected(tools: Tools, event: Event) -> str:
    """Only that a developer can be paid now, or not any more, concerns us."""
    if event.type not in ABOUT_ACCOUNTS or event.account_id is None:
        return _ignored(tools, event, "not followed")
    with tools.db.step() as connection:
        developer_id = queries.developer_of_account(connection, event.account_id)
    if developer_id is None:
        return _ignored(tools, event, "not ours")
    account = tools.stripe.account(event.account_id)
    return keep_account(tools, developer_id, account, event=event.note)


def _ignored(tools: Tools, event: Event, why: str) -> str:
    """Answered 200, or Stripe would send it for three days."""
    with tools.db.step() as connection:
        subject = str(event.object.get("id", ""))
        queries.ignore(connection, event.note, subject=subject, why=why, now=tools.clock.now())
    log.info("event ignored", event=event.id, type=event.type, why=why)
    return "ignored"
