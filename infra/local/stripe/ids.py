"""Ids as Stripe makes them: a prefix that tells the kind, then letters and digits."""

from __future__ import annotations

import secrets
import string

ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, *, length: int = 24) -> str:
    """A fresh id, `prefix_...`."""
    return f"{prefix}_" + "".join(secrets.choice(ALPHABET) for _ in range(length))
