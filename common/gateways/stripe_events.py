"""Stripe's webhooks: whether one really comes from Stripe, and what it is about."""

import json
import time
from dataclasses import dataclass
from typing import Any

TOLERANCE_SECONDS = 300  # what Stripe's own library allows; a copy that is older is a replay


class NotFromStripe(Exception):
    """The signature, its time or the body is wrong. Says nothing more: the sender is a stranger."""


@dataclass(frozen=True)
class Event:
    """A signed event. `object` is a hint of what changed; it is asked for anew."""

    id: str
    type: str
    account_id: str | None
    livemode: bool
    object: dict[str, Any]

    @property
    def note(self) -> dict[str, str | None]:
        """What is kept of it."""
        return {"id": self.id, "type": self.type, "accountId": self.account_id}


def read_event(payload: bytes, signature: str | None, secrets: tuple[str, ...]) -> Event:
    """Checks the exact bytes against each live secret. Raises NotFromStripe.

    Two secrets are live while one is rotated. A time in the future is refused as well, which
    Stripe's library lets pass.
    """
    from stripe import SignatureVerificationError, WebhookSignature

    if not signature:
        raise NotFromStripe
    for secret in secrets:
        try:
            text = payload.decode()
            WebhookSignature.verify_header(text, signature, secret, TOLERANCE_SECONDS)
        except (SignatureVerificationError, ValueError):
            continue
        if _signed_at(signature) > time.time() + TOLERANCE_SECONDS:
            raise NotFromStripe
        return _parsed(text)
    raise NotFromStripe


def _signed_at(signature: str) -> int:
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    return int(parts["t"])


def _parsed(text: str) -> Event:
    try:
        event = json.loads(text)
        return Event(
            id=str(event["id"]),
            type=str(event["type"]),
            account_id=event.get("account"),
            livemode=event["livemode"] is True,
            object=dict(event["data"]["object"]),
        )
    except (ValueError, KeyError, TypeError):
        raise NotFromStripe from None
