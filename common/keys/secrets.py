"""What a key looks like: `tsf_live_`, 30 random base62 digits and 6 of a checksum. Pure.

The checksum tells a mistyped or invented key without a look at the database, and lets scanners of
leaked secrets recognise ours (the form that GitHub describes for its own tokens).
"""

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "tsf_live_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECK = 30, 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")


def make_key() -> str:
    """A new key with 178 random bits."""
    body = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM))
    return PREFIX + body + _checksum(body)


def looks_like_a_key(token: str) -> bool:
    """Whether the token claims to be a key of ours."""
    return token.startswith(PREFIX)


def is_well_formed(key: str) -> bool:
    """Whether the checksum fits, as it does for every key that we made."""
    body = key[len(PREFIX) : len(PREFIX) + _RANDOM]
    return _FORM.fullmatch(key) is not None and key.endswith(_checksum(body))


def key_hash(key: str) -> bytes:
    """What is stored of a key. It has so many random bits that a fast hash is enough."""
    return hashlib.sha256(key.encode()).digest()


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits
