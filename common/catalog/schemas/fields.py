"""Kinds of text and numbers that the catalogue's schemas share."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from common.http import AS_NUMBER
from common.text import Line, Paragraphs

MAX_PRICE_CREDITS = 10_000
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# Words that stand where slugs stand in the paths of the frontends and of our own functions.
_RESERVED_SLUGS = frozenset(
    {"admin", "api", "base-models", "categories", "edit", "featured", "health", "me", "models"}
    | {"new", "popular", "preview", "publish", "run", "runs", "search", "test", "trending"}
)


def _tidy_slug(value: object) -> object:
    """Forms make slugs from titles and leave stray hyphens and capitals in them."""
    if not isinstance(value, str):
        return value
    return re.sub("-{2,}", "-", value.strip().lower()).strip("-")


def is_slug(text: str) -> bool:
    """Whether a model could have this slug, in any case: anything else need not be looked up."""
    return _SLUG.fullmatch(text.lower()) is not None


def _check_slug(slug: str) -> str:
    if not is_slug(slug):
        raise ValueError("may have only letters a to z, digits and single hyphens")
    if slug in _RESERVED_SLUGS:
        raise ValueError("is reserved, choose another one")
    return slug


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Slug = Annotated[
    str,
    BeforeValidator(_tidy_slug),
    Field(min_length=1, max_length=200),
    AfterValidator(_check_slug),
]
Title = Annotated[Line, Field(min_length=1, max_length=200)]
Name = Annotated[Line, Field(min_length=1, max_length=100)]
Description = Annotated[
    Annotated[Paragraphs, Field(max_length=5000)] | None, BeforeValidator(_blank_is_none)
]
PriceCredits = Annotated[int, Field(ge=1, le=MAX_PRICE_CREDITS), AS_NUMBER]
WaitSeconds = Annotated[int, Field(ge=10, le=86_400), AS_NUMBER]
EstimatedSeconds = Annotated[int, Field(ge=1, le=3600), AS_NUMBER]
TimeoutSeconds = Annotated[int, Field(ge=5, le=86_400), AS_NUMBER]
Adapter = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
