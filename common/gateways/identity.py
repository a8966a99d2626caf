"""Who sent this request: Firebase ID tokens of two separate projects.

The verification is firebase-admin's (signature, audience, issuer, expiry). A verified token is
remembered until it expires, since checking a signature costs as much as a small query.
"""

import hashlib
import os
import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal

from common.boundary import assert_no_session
from common.errors import IdentityUnavailable, InvalidToken, TokenExpired, WrongProject
from common.settings import Settings

Audience = Literal["users", "developers"]
REMEMBERED_TOKENS = 10_000
CERTIFICATE_SECONDS = 5  # the library would wait for two minutes
# Clients use a token in the second it was made, by a clock that may be ahead of ours.
CLOCK_SKEW_SECONDS = 5
# What the library raises for parts of a token that are not what it expects.
NOT_A_TOKEN = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


@dataclass(frozen=True)
class Identity:
    """The person behind a verified token. `uid` is unique within its project only."""

    uid: str
    email: str | None
    email_verified: bool
    name: str | None
    picture: str | None
    admin: bool


class Identities:
    """Verifies ID tokens; one per process."""

    def __init__(self, settings: Settings) -> None:
        self._projects: dict[Audience, str] = {
            "users": settings.firebase_users_project,
            "developers": settings.firebase_developers_project,
        }
        self._emulator_host = settings.firebase_auth_emulator_host
        self._apps: dict[tuple[int, Audience], Any] = {}
        self._lock = threading.Lock()
        self._verified: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    def verify(self, token: str, audience: Audience) -> Identity:
        """The token's identity.

        Raises InvalidToken, TokenExpired, WrongProject (401) or IdentityUnavailable (503).
        """
        key = hashlib.sha256(f"{audience}:{token}".encode(errors="surrogatepass")).digest()
        expires_at, identity = self._verified.get(key, (0.0, None))
        if identity is not None and time.time() < expires_at:
            return identity
        claims = self._claims(token, audience)
        identity = _identity(claims)
        with self._lock:
            self._verified[key] = (float(claims["exp"]), identity)
            while len(self._verified) > REMEMBERED_TOKENS:
                self._verified.popitem(last=False)
        return identity

    def _claims(self, token: str, audience: Audience) -> dict[str, Any]:
        assert_no_session()
        from firebase_admin import auth, exceptions

        app = self._app(audience)
        try:
            claims: dict[str, Any] = auth.verify_id_token(
                token, app=app, clock_skew_seconds=CLOCK_SKEW_SECONDS
            )
        except auth.ExpiredIdTokenError:
            raise TokenExpired from None
        except auth.CertificateFetchError as error:
            raise IdentityUnavailable from error
        except (auth.InvalidIdTokenError, *NOT_A_TOKEN):
            raise self._refusal(token, audience) from None
        except exceptions.FirebaseError as error:
            raise IdentityUnavailable from error
        expires_at = claims.get("exp")
        if not isinstance(expires_at, int | float) or expires_at <= time.time():
            raise TokenExpired  # the skew is for tokens from the future; emulators never look
        return claims

    def _refusal(self, token: str, audience: Audience) -> InvalidToken | WrongProject:
        """Why a token was refused, read from its unverified parts for the message only."""
        from google.auth import jwt

        try:
            header = jwt.decode_header(token)  # type: ignore[no-untyped-call]
            claims = jwt.decode(token, verify=False)  # type: ignore[no-untyped-call]
            project, algorithm = claims.get("aud"), header.get("alg")
        except NOT_A_TOKEN:
            return InvalidToken("This is not an ID token. Sign in again.")
        if project in list(self._projects.values()) and project != self._projects[audience]:
            return WrongProject()
        if algorithm != "RS256":
            return InvalidToken("This ID token is not signed by the identity service.")
        return InvalidToken()

    def _app(self, audience: Audience) -> Any:
        """A named firebase-admin app per project and process, made on first use."""
        key = (os.getpid(), audience)
        if key not in self._apps:
            with self._lock:
                if key not in self._apps:
                    self._apps[key] = self._make_app(audience)
        return self._apps[key]

    def _make_app(self, audience: Audience) -> Any:
        import firebase_admin

        if self._emulator_host:
            os.environ["FIREBASE_AUTH_EMULATOR_HOST"] = self._emulator_host
        return firebase_admin.initialize_app(
            _no_credential(),
            {"projectId": self._projects[audience], "httpTimeout": CERTIFICATE_SECONDS},
            name=f"{audience}-{uuid.uuid4()}",
        )


def _no_credential() -> Any:
    """Verifying needs Google's public certificates only, so the app gets no key to lose."""
    from firebase_admin import credentials
    from google.auth.credentials import AnonymousCredentials

    class NoCredential(credentials.Base):  # type: ignore[misc]
        def get_credential(self) -> AnonymousCredentials:
            return AnonymousCredentials()  # type: ignore[no-untyped-call]

    return NoCredential()


def _identity(claims: dict[str, Any]) -> Identity:
    return Identity(
        uid=str(claims["sub"]),
        email=claims.get("email") or None,
        email_verified=bool(claims.get("email_verified")),
        name=claims.get("name") or None,
        picture=claims.get("picture") or None,
        admin=claims.get("admin") is True,
    )
