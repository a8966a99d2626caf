"""What a Firebase ID token says."""

from __future__ import annotations

import time
from typing import Any

ISSUER = "https://securetoken.google.com/"
LIFE = 3600


def claims_for(
    project: str, uid: str, *, email: str | None, provider: str = "password", **more: Any
) -> dict[str, Any]:
    """The claims of a token given out now; `more` adds or replaces, and None removes."""
    now = int(time.time())
    identities: dict[str, list[str]] = {"email": [email]} if email else {}
    claims: dict[str, Any] = {
        "iss": ISSUER + project,
        "aud": project,
        "sub": uid,
        "user_id": uid,
        "auth_time": now,
        "iat": now,
        "exp": now + LIFE,
        "email": email,
        "email_verified": True if email else None,
        "firebase": {"identities": identities, "sign_in_provider": provider},
    }
    return {name: value for name, value in (claims | more).items() if value is not None}
