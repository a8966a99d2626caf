"""Throw-away service accounts: the key file, and the tokens it is exchanged for."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from infra.local.signing import SigningKey

TOKEN_LIFE = 3600
DEFAULT_EMAIL = "local-storage@tarsify-local.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Account:
    """Whose signatures are trusted."""

    email: str
    key: RSAPublicKey


def write_service_account(
    path: Path, *, token_uri: str, email: str = DEFAULT_EMAIL, project: str = "tarsify-local"
) -> Path:
    """Write a key file that Google's libraries load like a real one, readable by its owner only.

    `token_uri` is where they exchange it for an access token: the stand-in's `/token`.
    """
    key = SigningKey()
    document = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": key.key_id,
        "private_key": key.private_pem(),
        "client_email": email,
        "client_id": str(secrets.randbelow(10**21)),
        "token_uri": token_uri,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=2))
    return path


def read_account(path: Path) -> Account:
    """The public half of a key file."""
    document: dict[str, Any] = json.loads(path.read_text())
    private = load_pem_private_key(document["private_key"].encode(), password=None)
    public = private.public_key()
    assert isinstance(public, RSAPublicKey)
    return Account(document["client_email"], public)


class Tokens:
    """Access tokens given out by this process; a restart ends them and clients ask anew."""

    def __init__(self, accounts: list[Account]) -> None:
        self._keys = {account.email: account.key for account in accounts}
        self._given: dict[str, float] = {}

    def key_of(self, email: str) -> RSAPublicKey | None:
        """The public key of a trusted account."""
        return self._keys.get(email)

    def exchange(self, assertion: str) -> str | None:
        """An access token for a signed assertion (RFC 7523); None when it is not to be trusted."""
        try:
            issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss", "")
            key = self._keys.get(issuer)
            if key is None:
                return None
            options: Any = {"verify_aud": False}  # the audience is our own address, as they see it
            jwt.decode(assertion, key, algorithms=["RS256"], options=options)
        except jwt.InvalidTokenError:
            return None
        token = f"local.{secrets.token_urlsafe(32)}"
        self._given[token] = time.time() + TOKEN_LIFE
        return token

    def accept(self, header: str) -> bool:
        """Whether an Authorization header carries a token of ours that is still good."""
        scheme, _, token = header.partition(" ")
        return scheme.lower() == "bearer" and self._given.get(token, 0.0) > time.time()
