"""Shapes on the wire: camelCase outside, snake_case inside."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel


def iso_milliseconds(moment: datetime) -> str:
    """2026-01-02T03:04:05.678Z: UTC with exactly three digits, as existing clients parse it."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )


Timestamp = Annotated[
    datetime,
    PlainSerializer(iso_milliseconds, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
JsonObject = dict[str, Any]


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
