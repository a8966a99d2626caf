"""The emulator's tokens: no signature, so only for where the emulator variable is set."""

from __future__ import annotations

from typing import Any

import jwt

from infra.local.identity.claims import claims_for


def mint_local_token(project: str, uid: str, email: str | None, **claims: Any) -> str:
    """An emulator's ID token, good for an hour; `claims` adds or replaces, and None removes."""
    return encode(claims_for(project, uid, email=email, **claims))


def encode(claims: dict[str, Any]) -> str:
    """A token of `alg: none`."""
    return jwt.encode(claims, key="", algorithm="none")


def decode(token: str) -> dict[str, Any]:
    """The claims of a token; ValueError when it is none."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as problem:
        raise ValueError("not a token") from problem
    return claims
