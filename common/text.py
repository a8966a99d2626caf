"""Text that people type: lines and paragraphs of any language, without control characters."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

# With the characters that turn the direction of all that follows on a page.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_IN_PARAGRAPHS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def is_line(text: str) -> bool:
    """Whether the text fits on one line and holds no control character."""
    return _CONTROL.search(text) is None


def is_https_url(text: str) -> bool:
    """Whether browsers can safely be sent to the text: https, a host, no credentials."""
    if any(character.isspace() for character in text) or not is_line(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


def _line(text: str) -> str:
    if not is_line(text):
        raise ValueError("must be one line without control characters")
    if text and not any(letter.isprintable() and not letter.isspace() for letter in text):
        raise ValueError("must have something to see in it")
    return text


def _paragraphs(text: str) -> str:
    if _CONTROL_IN_PARAGRAPHS.search(text):
        raise ValueError("must not contain control characters")
    return text


def _https_url(text: str) -> str:
    if not is_https_url(text):
        raise ValueError("must be an https address")
    return text


Line = Annotated[str, AfterValidator(_line)]
Paragraphs = Annotated[str, AfterValidator(_paragraphs)]
PersonName = Annotated[Line, Field(min_length=2, max_length=100)]
HttpsUrl = Annotated[str, Field(max_length=2048), AfterValidator(_https_url)]
EmailAddress = Annotated[
    Line, Field(max_length=255, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", examples=["ada@example.com"])
]
