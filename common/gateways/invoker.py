"""Who calls an internal function: Google's OIDC tokens on Cloud Tasks and Scheduler calls.

On a private Cloud Run service the platform has checked the token before we see it, and forwards
it with its signature replaced (platform.md 2). There the claims are all that is left to check;
everywhere else the signature is verified too.
"""

import functools
import os
import threading
import time
from typing import Any

from common.boundary import assert_no_session
from common.errors import IdentityUnavailable, InvalidToken
from common.gateways.identity import CERTIFICATE_SECONDS, CLOCK_SKEW_SECONDS, NOT_A_TOKEN
from common.settings import Settings

REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
REMEMBERED_TOKENS = 1000
ISSUERS = ("https://accounts.google.com", "accounts.google.com")


class Invokers:
    """Knows the one service account that may call tasks and cleanup."""

    def __init__(self, settings: Settings) -> None:
        self._email = settings.invoker_email
        self._certs_url = settings.invoker_certs_url
        # A removed signature may pass only where Cloud Run is told to let in nobody but the
        # invoker; on a public service anyone could write such a token.
        self._platform_checked = (
            settings.private_service
            and settings.environment != "local"
            and "K_SERVICE" in os.environ
        )
        self._lock = threading.Lock()
        self._verified: dict[str, float] = {}
        self._transport: Any = None

    def verify(self, token: str, audience: str) -> None:
        """Raises InvalidToken unless the configured account made this call for `audience`."""
        if self._verified.get(f"{audience} {token}", 0) > time.time():
            return
        claims = self._claims(token, audience)
        if not audience or not self._is_ours(claims, audience):
            raise InvalidToken("This call did not come from the task queue or the scheduler.")
        with self._lock:
            if len(self._verified) >= REMEMBERED_TOKENS:
                self._verified.clear()
            self._verified[f"{audience} {token}"] = float(claims["exp"])

    def _is_ours(self, claims: dict[str, Any], audience: str) -> bool:
        expires = claims.get("exp")
        return (
            claims.get("iss") in ISSUERS
            and claims.get("aud") == audience
            and claims.get("email") == self._email
            and claims.get("email_verified") is True
            and isinstance(expires, int | float)
            and expires > time.time()
        )

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        assert_no_session()
        from google.auth import exceptions
        from google.oauth2 import id_token

        try:
            if self._platform_checked and token.endswith(f".{REMOVED}"):
                body = token.split(".")[1]
                return _decoded(body)
            found = id_token.verify_token(
                token,
                self._request(),
                audience=audience,
                certs_url=self._certs_url,
                clock_skew_in_seconds=CLOCK_SKEW_SECONDS,
            )
        except exceptions.TransportError as error:
            raise IdentityUnavailable from error
        except (exceptions.GoogleAuthError, *NOT_A_TOKEN):
            raise InvalidToken from None
        return dict(found)

    def _request(self) -> Any:
        """Certificates are cached as their headers allow; without this each call fetches them."""
        if self._transport is None:
            import requests
            from cachecontrol import CacheControl
            from google.auth.transport.requests import Request

            ask = Request(session=CacheControl(requests.Session()))
            self._transport = functools.partial(ask, timeout=CERTIFICATE_SECONDS)
        return self._transport


def _decoded(part: str) -> dict[str, Any]:
    import base64
    import json

    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if not isinstance(claims, dict):
        raise ValueError("claims are not an object")
    return claims
