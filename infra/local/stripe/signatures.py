"""The `Stripe-Signature` header: HMAC-SHA256 over the instant and the exact bytes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable


def signature(payload: bytes, secrets: Iterable[str], timestamp: int) -> str:
    """The header for `payload` sent at `timestamp` (Unix seconds), one v1 for each secret.

    While a secret is being rotated there are two, and a receiver may hold either.
    """
    signed = b"%d." % timestamp + payload
    made = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={each}" for each in made)])
