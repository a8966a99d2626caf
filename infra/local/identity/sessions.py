"""Being signed in: ID tokens, refresh tokens, and back to the account."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from infra.local.identity import unsigned
from infra.local.identity.accounts import Account, Accounts, now_ms
from infra.local.identity.claims import LIFE, claims_for
from infra.local.identity.errors import Refused


def id_token(account: Account, provider: str) -> str:
    """The token that this account's requests carry."""
    claims = claims_for(
        account.project,
        account.uid,
        email=account.email,
        provider=provider,
        email_verified=account.email_verified if account.email else None,
        name=account.name or None,
        picture=account.picture or None,
    )
    identities = {name: [subject] for name, subject in account.providers.items() if "." in name}
    claims["firebase"]["identities"] |= identities
    return unsigned.encode(claims | account.claims)


def signed_in(accounts: Accounts, account: Account, provider: str) -> dict[str, Any]:
    """The part of an answer that signs somebody in; refuses a disabled account."""
    if account.disabled:
        raise Refused("USER_DISABLED")
    account.last_login = now_ms()
    accounts.save(account)
    return {
        "localId": account.uid,
        "idToken": id_token(account, provider),
        "refreshToken": _refresh_token(account, provider),
        "expiresIn": str(LIFE),
    }


def bearer(accounts: Accounts, project: str, token: str) -> Account:
    """Whose ID token this is; refuses one of another project, one that ended, or nobody's."""
    try:
        claims = unsigned.decode(token)
    except ValueError:
        raise Refused("INVALID_ID_TOKEN") from None
    if claims.get("aud") != project:
        raise Refused("INVALID_ID_TOKEN")
    if claims.get("exp", 0) <= time.time() or claims.get("iat", 0) < 0:
        raise Refused("TOKEN_EXPIRED")
    account = accounts.by_uid(project, claims.get("sub", ""))
    if account is None:
        raise Refused("USER_NOT_FOUND")
    if claims.get("iat", 0) < account.valid_since:
        raise Refused("TOKEN_EXPIRED")
    return account


def refreshed(accounts: Accounts, project: str, token: str) -> dict[str, Any]:
    """New tokens for a refresh token."""
    try:
        said = json.loads(base64.urlsafe_b64decode(token))
        uid, provider = said["uid"], said["provider"]
    except (ValueError, KeyError, TypeError):
        raise Refused("INVALID_REFRESH_TOKEN") from None
    account = accounts.by_uid(project, uid) if said.get("project") == project else None
    if account is None:
        raise Refused("USER_NOT_FOUND")
    if account.disabled:
        raise Refused("USER_DISABLED")
    token = id_token(account, provider)
    return {
        "id_token": token,
        "access_token": token,
        "refresh_token": _refresh_token(account, provider),
        "expires_in": str(LIFE),
        "token_type": "Bearer",
        "user_id": account.uid,
        "project_id": project,
    }


def _refresh_token(account: Account, provider: str) -> str:
    # It says everything itself, so it still works after a restart. Nothing here is secret.
    said = {"project": account.project, "uid": account.uid, "provider": provider}
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
