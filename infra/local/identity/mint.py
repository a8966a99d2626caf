"""ID tokens of one project, good ones and each kind of bad one, for security tests."""

from __future__ import annotations

import time
from typing import Any

import jwt

from infra.local.identity import unsigned
from infra.local.identity.claims import ISSUER, claims_for
from infra.local.signing import SigningKey


class TokenMint:
    """Signs as Google does for `project`, with `key` (all projects share Google's keys)."""

    def __init__(self, project: str, key: SigningKey | None = None) -> None:
        self.project = project
        self.key = key or SigningKey()

    def token(self, uid: str = "uid-1", email: str | None = "a@example.com", **claims: Any) -> str:
        """A good token; `claims` adds or replaces claims, and None removes one."""
        return self.key.sign(claims_for(self.project, uid, email=email, **claims))

    def admin(self, uid: str = "admin-1", email: str = "admin@example.com") -> str:
        """A token with the custom claim `admin`."""
        return self.token(uid, email, admin=True)

    def expired(self, uid: str = "uid-1") -> str:
        """One that ended an hour ago."""
        now = int(time.time())
        return self.token(uid, iat=now - 7200, auth_time=now - 7200, exp=now - 3600)

    def issued_in_the_future(self, uid: str = "uid-1") -> str:
        """One whose time has not come."""
        now = int(time.time())
        return self.token(uid, iat=now + 3600, exp=now + 7200)

    def for_audience(self, audience: str, uid: str = "uid-1") -> str:
        """One whose audience is another than its issuer's project."""
        return self.token(uid, aud=audience)

    def from_issuer(self, issuer: str = ISSUER + "elsewhere", uid: str = "uid-1") -> str:
        """One by another issuer."""
        return self.token(uid, iss=issuer)

    def unsigned(self, uid: str = "uid-1") -> str:
        """One of `alg: none`, as the emulator gives out."""
        return unsigned.mint_local_token(self.project, uid, "a@example.com")

    def by_unknown_key(self, uid: str = "uid-1") -> str:
        """One signed by a key that Google never published."""
        return SigningKey().sign(claims_for(self.project, uid, email="a@example.com"))

    def by_impostor(self, uid: str = "uid-1") -> str:
        """One that names the published key but was signed by another."""
        claims = claims_for(self.project, uid, email="a@example.com")
        return SigningKey().sign(claims, headers={"kid": self.key.key_id})

    def by_public_key(self, uid: str = "uid-1") -> str:
        """The algorithm swap: HMAC, with the published certificate as its secret."""
        claims = claims_for(self.project, uid, email="a@example.com")
        # The library refuses a PEM as a secret, so the attack needs its bytes in other clothes.
        secret = self.key.certificates()[self.key.key_id].replace("-", "").encode()
        return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": self.key.key_id})

    def tampered(self, uid: str = "uid-1") -> str:
        """A good token with another person's claims under its signature."""
        head, _, signature = self.token(uid).split(".")
        _, claims, _ = self.token("someone-else").split(".")
        return f"{head}.{claims}.{signature}"

    def without_email(self, uid: str = "uid-1") -> str:
        """A person who signed in without an address."""
        return self.token(uid, email=None)

    def email_unverified(self, uid: str = "uid-1", email: str = "a@example.com") -> str:
        """An address that nobody has proved to own."""
        return self.token(uid, email, email_verified=False)
