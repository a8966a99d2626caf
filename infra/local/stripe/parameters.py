"""What a request may say: fields that read their value or refuse it in Stripe's words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from infra.local.stripe.errors import Refused, unmet

JSON = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Field(ABC):
    """Any parameter; `read` turns what the form said into a value."""

    required: bool = False

    @abstractmethod
    def read(self, raw: Any, name: str) -> Any:
        """The value.

        Raises:
            Refused: it is not one.
        """


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    """A string of at most `longest` characters, one of `choices` if there are any."""

    longest: int = 5000
    choices: Sequence[str] = ()
    may_be_empty: bool = False

    def read(self, raw: Any, name: str) -> str:
        if not isinstance(raw, str):
            raise Refused("Invalid string: {...}", param=name)
        if not raw and not self.may_be_empty:
            raise unmet(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt "
                f"to unset a parameter; however '{name}' cannot be unset.",
                "parameter_invalid_empty",
                name,
            )
        if len(raw) > self.longest:
            raise Refused(
                f"Invalid string: {raw[:20]}...; must be at most {self.longest} characters",
                param=name,
            )
        if self.choices and raw not in self.choices:
            raise Refused(f"Invalid {name}: must be one of {', '.join(self.choices)}", param=name)
        return raw


@dataclass(frozen=True, kw_only=True)
class Address(Text):
    """An http or https URL."""

    def read(self, raw: Any, name: str) -> str:
        url = super().read(raw, name)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise unmet("Not a valid URL", "url_invalid", name)
        return url


@dataclass(frozen=True, kw_only=True)
class Email(Text):
    """A mail address, roughly."""

    def read(self, raw: Any, name: str) -> str:
        address = super().read(raw, name)
        local, at, domain = address.rpartition("@")
        if not (local and at and "." in domain) or " " in address:
            raise unmet(f"Invalid email address: {address}", "email_invalid", name)
        return address


@dataclass(frozen=True, kw_only=True)
class Integer(Field):
    """A whole number within its limits."""

    least: int | None = None
    most: int | None = None

    def read(self, raw: Any, name: str) -> int:
        try:
            value = int(raw)
        except (TypeError, ValueError):
            raise unmet(f"Invalid integer: {raw}", "parameter_invalid_integer", name) from None
        if self.least is not None and value < self.least:
            raise unmet(
                f"This value must be greater than or equal to {self.least}.",
                "parameter_invalid_integer",
                name,
            )
        if self.most is not None and value > self.most:
            raise unmet(
                f"This value must be less than or equal to {self.most}.",
                "parameter_invalid_integer",
                name,
            )
        return value


@dataclass(frozen=True, kw_only=True)
class Flag(Field):
    """true or false."""

    def read(self, raw: Any, name: str) -> bool:
        if raw not in ("true", "false"):
            raise Refused(f"Invalid boolean: {raw}", param=name)
        return bool(raw == "true")


@dataclass(frozen=True, kw_only=True)
class Metadata(Field):
    """Up to 50 texts under keys of the caller's; an empty text stands for removing its key."""

    def read(self, raw: Any, name: str) -> dict[str, str]:
        if raw == "":
            return {}
        if not isinstance(raw, dict) or not all(isinstance(text, str) for text in raw.values()):
            raise Refused("Invalid object", param=name)
        if len(raw) > 50:
            raise Refused("Metadata can have at most 50 keys.", param=name)
        for key, text in raw.items():
            if len(key) > 40 or len(text) > 500:
                raise Refused(
                    "Metadata keys can have up to 40 characters and values up to 500.",
                    param=f"{name}[{key}]",
                )
        return raw


@dataclass(frozen=True, kw_only=True)
class Group(Field):
    """Named fields under one name."""

    fields: Mapping[str, Field]

    def read(self, raw: Any, name: str) -> JSON:
        if not isinstance(raw, dict):
            raise Refused("Invalid object", param=name)
        return read(self.fields, raw, within=name)


@dataclass(frozen=True, kw_only=True)
class Several(Field):
    """A list of one kind of value."""

    of: Field
    most: int = 100

    def read(self, raw: Any, name: str) -> list[Any]:
        if not isinstance(raw, dict) or not all(index.isdecimal() for index in raw):
            raise Refused("Invalid array", param=name)
        if len(raw) > self.most:
            raise Refused(f"Invalid array: at most {self.most} are allowed", param=name)
        in_order = sorted(raw, key=int)
        return [self.of.read(raw[index], f"{name}[{index}]") for index in in_order]


def read(fields: Mapping[str, Field], raw: JSON, *, within: str = "") -> JSON:
    """The values of `raw`.

    Raises:
        Refused: an unknown parameter, a missing one, or a value that its field refuses.
    """

    def full(name: str) -> str:
        return f"{within}[{name}]" if within else name

    if unknown := [full(name) for name in raw if name not in fields]:
        plural = "s" if len(unknown) > 1 else ""
        raise unmet(
            f"Received unknown parameter{plural}: {', '.join(unknown)}",
            "parameter_unknown",
            unknown[0],
        )
    for name, field in fields.items():
        if field.required and name not in raw:
            raise unmet(f"Missing required param: {full(name)}.", "parameter_missing", full(name))
    return {name: fields[name].read(value, full(name)) for name, value in raw.items()}
