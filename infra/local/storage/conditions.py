"""Preconditions on generations: what makes a write happen once."""

from __future__ import annotations

from collections.abc import Mapping

from infra.local.storage.disk import Entry
from infra.local.storage.errors import bad_request, condition_failed, not_changed

HEADERS = {
    "x-goog-if-generation-match": "ifGenerationMatch",
    "x-goog-if-metageneration-match": "ifMetagenerationMatch",
}


def check(entry: Entry | None, conditions: Mapping[str, str], *, reading: bool = False) -> None:
    """Raise 412 when a condition does not hold (304 for a not-match on a read).

    `ifGenerationMatch=0` means that there must be no object.
    """
    actual = {
        "Generation": entry.generation if entry else 0,
        "Metageneration": entry.metageneration if entry else 0,
    }
    for what, value in actual.items():
        if (wanted := _number(conditions, f"if{what}Match")) is not None and wanted != value:
            raise condition_failed()
        if (unwanted := _number(conditions, f"if{what}NotMatch")) is not None and unwanted == value:
            raise not_changed() if reading else condition_failed()


def generation(parameters: Mapping[str, str]) -> int | None:
    """The generation that was asked for, if any."""
    return _number(parameters, "generation")


def from_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The conditions that the XML API takes as headers."""
    return {name: headers[header] for header, name in HEADERS.items() if header in headers}


def _number(conditions: Mapping[str, str], name: str) -> int | None:
    value = conditions.get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise bad_request(f"Invalid value for {name}: {value}")
    return int(value)
