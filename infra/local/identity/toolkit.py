"""The Identity Toolkit's verbs (`accounts:signUp` and so on), each from a body to an answer."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from infra.local.identity import sessions, unsigned
from infra.local.identity.accounts import Account, Accounts
from infra.local.identity.errors import Refused

Body = dict[str, Any]
SHORTEST_PASSWORD = 6
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
PROFILE = {"displayName": "name", "photoUrl": "picture"}
REMOVABLE = {"DISPLAY_NAME": "name", "PHOTO_URL": "picture"}


@dataclass(kw_only=True)
class Call:
    """Who is asked about: a project, as its administrator or through a person's own token."""

    accounts: Accounts
    project: str
    admin: bool
    codes: dict[str, Body] = field(default_factory=dict)


def sign_up(call: Call, body: Body) -> Body:
    """accounts:signUp: a new person; their session too unless an administrator asks."""
    if not body.get("email") and not call.admin:
        raise Refused("ADMIN_ONLY_OPERATION")
    if not body.get("password") and not call.admin:
        raise Refused("MISSING_PASSWORD")
    uid = body.get("localId") if call.admin else None
    if uid and call.accounts.by_uid(call.project, uid):
        raise Refused("DUPLICATE_LOCAL_ID")
    account = call.accounts.new(call.project, uid)
    _apply(call, account, body)
    call.accounts.save(account)
    answer = {"kind": "identitytoolkit#SignupNewUserResponse", "localId": account.uid}
    session = {} if call.admin else sessions.signed_in(call.accounts, account, "password")
    return answer | _shown(account) | session


def sign_in_with_password(call: Call, body: Body) -> Body:
    """accounts:signInWithPassword; who is unknown and who mistypes hear the same."""
    account = call.accounts.by_email(call.project, body.get("email", ""))
    if account is None or not account.has_password(body.get("password", "")):
        raise Refused("INVALID_LOGIN_CREDENTIALS")
    answer = {"kind": "identitytoolkit#VerifyPasswordResponse", "registered": True}
    return answer | _shown(account) | sessions.signed_in(call.accounts, account, "password")


def sign_in_with_idp(call: Call, body: Body) -> Body:
    """accounts:signInWithIdp for a Google that believes what it is told.

    The `id_token` in `postBody` is a JSON object of claims (at least `sub` and `email`) or a token
    of any signature, as in Firebase's own emulator.
    """
    said = {name: values[0] for name, values in parse_qs(body.get("postBody", "")).items()}
    provider, claims = said.get("providerId", ""), _believed(said.get("id_token", ""))
    if not provider:
        raise Refused("INVALID_CREDENTIAL_OR_PROVIDER_ID")
    email = str(claims.get("email", "")).lower()
    account = call.accounts.by_email(call.project, email) if email else None
    is_new = account is None
    if account is None:
        account = call.accounts.new(call.project)
        account.email = email or None
    account.email_verified = bool(claims.get("email_verified", True))
    account.name = account.name or claims.get("name", "")
    account.picture = account.picture or claims.get("picture", "")
    account.providers[provider] = str(claims["sub"])
    answer = {
        "kind": "identitytoolkit#VerifyAssertionResponse",
        "providerId": provider,
        "federatedId": f"https://accounts.google.com/{claims['sub']}",
        "isNewUser": is_new,
        "rawUserInfo": json.dumps(claims),
        "oauthIdToken": said["id_token"],
    }
    return answer | _shown(account) | sessions.signed_in(call.accounts, account, provider)


def lookup(call: Call, body: Body) -> Body:
    """accounts:lookup: oneself by token, or anybody by id or address as an administrator."""
    answer = {"kind": "identitytoolkit#GetAccountInfoResponse"}
    if not call.admin:
        found = [sessions.bearer(call.accounts, call.project, body.get("idToken", ""))]
        return answer | {"users": [_record(account) for account in found]}
    by_uid = [call.accounts.by_uid(call.project, uid) for uid in _many(body.get("localId"))]
    by_email = [call.accounts.by_email(call.project, it) for it in _many(body.get("email"))]
    users = [_record(account) for account in by_uid + by_email if account]
    return answer | ({"users": users} if users else {})


def update(call: Call, body: Body) -> Body:
    """accounts:update: a profile, an address, a password; claims and locks as administrator."""
    if code := body.get("oobCode"):
        account = _redeem(call, code, "VERIFY_EMAIL")
        account.email_verified = True
    else:
        account = _target(call, body)
        _apply(call, account, body)
    call.accounts.save(account)
    answer = {"kind": "identitytoolkit#SetAccountInfoResponse", "localId": account.uid}
    fresh = not call.admin and body.get("returnSecureToken")
    session = sessions.signed_in(call.accounts, account, "password") if fresh else {}
    return answer | _shown(account) | session


def delete(call: Call, body: Body) -> Body:
    """accounts:delete."""
    call.accounts.delete(_target(call, body))
    return {"kind": "identitytoolkit#DeleteAccountResponse"}


def create_auth_uri(call: Call, body: Body) -> Body:
    """accounts:createAuthUri: which ways of signing in an address has."""
    account = call.accounts.by_email(call.project, body.get("identifier", ""))
    methods = sorted(account.providers) if account else []
    return {
        "kind": "identitytoolkit#CreateAuthUriResponse",
        "registered": account is not None,
        "signinMethods": methods,
        "allProviders": methods,
        "sessionId": secrets.token_hex(8),
    }


def send_oob_code(call: Call, body: Body) -> Body:
    """accounts:sendOobCode: the mail with a code, which is kept for whoever lists the codes."""
    kind = body.get("requestType", "")
    if kind == "VERIFY_EMAIL":
        account = sessions.bearer(call.accounts, call.project, body.get("idToken", ""))
    elif kind == "PASSWORD_RESET":
        found = call.accounts.by_email(call.project, body.get("email", ""))
        if found is None:  # as with a wrong password: nobody learns who is registered
            return {"kind": "identitytoolkit#GetOobConfirmationCodeResponse"}
        account = found
    else:
        raise Refused("INVALID_REQ_TYPE")
    code = secrets.token_urlsafe(24)
    call.codes[code] = {"email": account.email, "requestType": kind, "oobCode": code}
    return {"kind": "identitytoolkit#GetOobConfirmationCodeResponse", "email": account.email}


def reset_password(call: Call, body: Body) -> Body:
    """accounts:resetPassword: looks at a code, and with a new password redeems it."""
    code = body.get("oobCode", "")
    if code not in call.codes:
        raise Refused("INVALID_OOB_CODE")
    said = call.codes[code]
    if password := body.get("newPassword"):
        _check_password(password)
        account = _redeem(call, code, "PASSWORD_RESET")
        account.set_password(password)
        account.email_verified = True
        call.accounts.save(account)
    return {"email": said["email"], "requestType": said["requestType"]}


VERBS = {
    "signUp": sign_up,
    "signInWithPassword": sign_in_with_password,
    "signInWithIdp": sign_in_with_idp,
    "lookup": lookup,
    "update": update,
    "delete": delete,
    "createAuthUri": create_auth_uri,
    "sendOobCode": send_oob_code,
    "resetPassword": reset_password,
}


def everybody(call: Call) -> Body:
    """accounts:batchGet, in one page."""
    return {"users": [_record(account) for account in call.accounts.of_project(call.project)]}


def _apply(call: Call, account: Account, body: Body) -> None:
    if email := body.get("email"):
        _set_email(call, account, email)
    if password := body.get("password"):
        _check_password(password)
        account.set_password(password)
    for wire, ours in PROFILE.items():
        if wire in body:
            setattr(account, ours, body[wire] or "")
    for name in body.get("deleteAttribute", []):
        setattr(account, REMOVABLE[name], "")
    if call.admin:
        _apply_as_admin(account, body)


def _apply_as_admin(account: Account, body: Body) -> None:
    account.email_verified = bool(body.get("emailVerified", account.email_verified))
    account.disabled = bool(body.get("disableUser", body.get("disabled", account.disabled)))
    if "customAttributes" in body:
        account.claims = json.loads(body["customAttributes"] or "{}")
    if "validSince" in body:
        account.valid_since = int(body["validSince"])


def _set_email(call: Call, account: Account, email: str) -> None:
    email = email.lower()
    if not ADDRESS.fullmatch(email):
        raise Refused("INVALID_EMAIL")
    owner = call.accounts.by_email(call.project, email)
    if owner is not None and owner.uid != account.uid:
        raise Refused("EMAIL_EXISTS")
    if email != account.email:
        account.email, account.email_verified = email, False


def _check_password(password: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise Refused("WEAK_PASSWORD : Password should be at least 6 characters")


def _target(call: Call, body: Body) -> Account:
    if not call.admin:
        return sessions.bearer(call.accounts, call.project, body.get("idToken", ""))
    account = call.accounts.by_uid(call.project, body.get("localId", ""))
    if account is None:
        raise Refused("USER_NOT_FOUND")
    return account


def _redeem(call: Call, code: str, kind: str) -> Account:
    said = call.codes.get(code)
    if said is None or said["requestType"] != kind:
        raise Refused("INVALID_OOB_CODE")
    account = call.accounts.by_email(call.project, said["email"])
    if account is None:
        raise Refused("EMAIL_NOT_FOUND")
    del call.codes[code]
    return account


def _believed(text: str) -> Body:
    try:
        claims: Body = json.loads(text) if text.startswith("{") else unsigned.decode(text)
    except ValueError:
        raise Refused("INVALID_IDP_RESPONSE : Unable to parse id_token") from None
    if not claims.get("sub"):
        raise Refused("INVALID_IDP_RESPONSE : Missing sub")
    return claims


def _many(value: Any) -> list[str]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _shown(account: Account) -> Body:
    shown = {
        "email": account.email,
        "displayName": account.name,
        "photoUrl": account.picture,
        "emailVerified": account.email_verified,
    }
    return {name: value for name, value in shown.items() if value not in (None, "")}


def _record(account: Account) -> Body:
    providers = [
        {"providerId": name, "rawId": subject, "federatedId": subject, "email": account.email}
        | {"displayName": account.name, "photoUrl": account.picture}
        for name, subject in account.providers.items()
    ]
    return _shown(account) | {
        "localId": account.uid,
        "disabled": account.disabled,
        "providerUserInfo": providers,
        "createdAt": str(account.created),
        "lastLoginAt": str(account.last_login),
        "validSince": str(account.valid_since),
        "customAttributes": json.dumps(account.claims),
    }
