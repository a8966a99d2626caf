"""Shapes on the wire: camelCase outside, snake_case inside."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StrictBool,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


def iso_milliseconds(moment: datetime) -> str:
    """2026-01-02T03:04:05.678Z: UTC with exactly three digits, as existing clients parse it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[
    datetime,
    PlainSerializer(iso_milliseconds, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
JsonObject = dict[str, Any]


def _a_number(value: object) -> object:
    """Python would take true for 1 and "5" for 5; who writes that in JSON means something else."""
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d))?")


def _a_moment(value: object) -> object:
    """Python would take 0 for 1970, and a time without an offset for whatever it is here."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return value
    raise PydanticCustomError("datetime_type", "must be a date or a moment with its offset")


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:  # a date alone is its beginning in UTC
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_type", "lies before or after all years") from None


# A moment that a caller sends: a date or RFC 3339. Inside it is UTC.
Moment = Annotated[
    datetime,
    AfterValidator(_in_utc),
    BeforeValidator(_a_moment),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}),
]


# For bodies: query strings have nothing but text, so there int and bool read it. It stands last in
# an annotation, since limits that follow a validator are lost to the document.
AS_NUMBER = BeforeValidator(_a_number)
Flag = StrictBool


class In(BaseModel):
    """What a caller sends. Unknown fields are refused, so that a typo is never ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        str_strip_whitespace=True,
        defer_build=True,  # at a function's first use of it, not at its cold start
    )


class OpenIn(In):
    """What a vendor sends: fields that we do not know are left alone."""

    model_config = ConfigDict(extra="ignore")


class Out(BaseModel):
    """What a caller reads. No defaults, so that the document lists every field as required."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        from_attributes=True,
        ser_json_inf_nan="null",
        defer_build=True,
    )


def plain(shown: Out) -> JsonObject:
    """An answer as the JSON that goes over the wire."""
    told: JsonObject = shown.model_dump(mode="json", by_alias=True)
    return told
