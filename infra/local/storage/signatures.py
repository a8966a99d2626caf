"""V4 signed URLs: the check that Cloud Storage makes (GOOG4-RSA-SHA256)."""

from __future__ import annotations

import datetime as dt
import hashlib
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from infra.local.storage.errors import bad_request, forbidden

ALGORITHM = "GOOG4-RSA-SHA256"
LONGEST = 7 * 24 * 3600
SKEW = dt.timedelta(minutes=15)
PARAMETERS = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")


@dataclass(frozen=True, kw_only=True)
class SignedRequest:
    """The parts of a request that a signature covers; `target` is path and query as sent."""

    method: str
    target: str
    headers: Mapping[str, str]


def is_signed(target: str) -> bool:
    """Whether a URL claims a V4 signature."""
    return "X-Goog-Signature=" in target


def verify(
    request: SignedRequest, key_of: Callable[[str], RSAPublicKey | None], now: dt.datetime
) -> None:
    """Raise 403 for a signature that does not match, 400 for one that is malformed or expired."""
    query = request.target.partition("?")[2]
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    given = _parameters(dict(pairs))
    email, _, scope = given["Credential"].partition("/")
    signed = _string_to_sign(request, pairs=pairs, given=given, scope=scope)
    _check_signature(key_of(email), given["Signature"], signed)
    _check_time(given, now)


def _parameters(query: dict[str, str]) -> dict[str, str]:
    missing = [name for name in PARAMETERS if not query.get(f"X-Goog-{name}")]
    if missing:
        raise bad_request(f"Missing query parameter X-Goog-{missing[0]}")
    given = {name: query[f"X-Goog-{name}"] for name in PARAMETERS}
    if given["Algorithm"] != ALGORITHM:
        raise bad_request(f"Unknown algorithm {given['Algorithm']}")
    return given


def _string_to_sign(
    request: SignedRequest, *, pairs: list[tuple[str, str]], given: dict[str, str], scope: str
) -> bytes:
    headers = {name.lower(): " ".join(value.split()) for name, value in request.headers.items()}
    names = given["SignedHeaders"].split(";")
    if "host" not in names:
        raise bad_request("The host header must be signed")
    canonical = "\n".join(
        [
            request.method,
            request.target.partition("?")[0],
            _canonical_query(pairs),
            *(f"{name}:{headers.get(name, '')}" for name in names),
            "",
            given["SignedHeaders"],
            headers.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD"),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return "\n".join([ALGORITHM, given["Date"], scope, digest]).encode()


def _canonical_query(pairs: list[tuple[str, str]]) -> str:
    quoted = (
        (urllib.parse.quote(name, safe="-_.~"), urllib.parse.quote(value, safe="-_.~"))
        for name, value in pairs
        if name != "X-Goog-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in sorted(quoted))


def _check_signature(key: RSAPublicKey | None, signature: str, signed: bytes) -> None:
    refusal = forbidden(
        "SignatureDoesNotMatch",
        "Access denied. The request signature we calculated does not match the one you provided.",
    )
    if key is None:
        raise refusal
    try:
        key.verify(bytes.fromhex(signature), signed, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        raise refusal from None


def _check_time(given: dict[str, str], now: dt.datetime) -> None:
    try:
        start = dt.datetime.strptime(given["Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        life = int(given["Expires"])
    except ValueError:
        raise bad_request("Malformed X-Goog-Date or X-Goog-Expires") from None
    if not 0 < life <= LONGEST:
        raise bad_request("X-Goog-Expires must be at most 604800 seconds")
    end = start + dt.timedelta(seconds=life)
    if now > end:
        raise bad_request(f"The provided token has expired at {end.isoformat()}", "ExpiredToken")
    if start > now + SKEW:
        raise forbidden("AccessDenied", "The request is not yet valid.")
