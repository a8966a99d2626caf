"""From bytes to checked values. Every refusal names the field and leaves no trace."""

import json
import math
import re
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request

from common.errors import (
    BodyTooLarge,
    FieldError,
    InvalidRequest,
    MalformedBody,
    UnsupportedMediaType,
)
from common.http.routes import Header
from common.http.wire import OpenIn
from common.http.wording import reason

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MAX_DEPTH = 64
_MAX_REPORTED = 50
_MAX_FIELD_NAME = 200
_CHUNK = 64 * 1024
_NUMBERS = (int, float)  # a tuple: a union is built anew each time, and this runs per element
# Beyond this a JSON number is Infinity to JavaScript and to most other readers.
_LARGEST_NUMBER = int(1.7976931348623157e308)


def storable(text: str) -> bool:
    """PostgreSQL cannot hold NUL; UTF-8 cannot hold unpaired surrogates."""
    return _UNSTORABLE.search(text) is None


def read_bytes(request: Request, limit: int) -> bytes:
    """The raw body, at most `limit` bytes; raises BodyTooLarge before reading more."""
    too_large = BodyTooLarge(f"The body is larger than {limit} bytes.", limitBytes=limit)
    if (request.content_length or 0) > limit:
        raise too_large
    data = bytearray()
    try:
        while chunk := request.stream.read(_CHUNK):  # a read may answer less than it was asked for
            data += chunk
            if len(data) > limit:
                raise too_large
    except ClientDisconnected:
        raise MalformedBody("The body is shorter than its Content-Length.") from None
    return bytes(data)


def read_json(request: Request, limit: int) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty object, whatever its type (K5)."""
    data = read_bytes(request, limit)
    if not data.strip():
        return {}
    kind = (request.mimetype or "").lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType
    try:
        value = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise MalformedBody from None
    if not isinstance(value, dict):
        raise MalformedBody
    return value


def parse_body(model: type[BaseModel], value: dict[str, Any]) -> Any:
    """The body as an instance of `model`; raises MalformedBody or InvalidRequest.

    Of a vendor's body only the declared fields are looked at: the rest may be anything.
    """
    if issubclass(model, OpenIn):
        known = {*model.model_fields, *(field.alias for field in model.model_fields.values())}
        value = {name: item for name, item in value.items() if name in known}
    _check_storable(value)
    return _parse(model, value)


def parse_query(model: type[BaseModel], request: Request) -> Any:
    """The query string as an instance of `model`; a repeated name counts once, the last one."""
    given = {name: values[-1] for name, values in request.args.lists()}
    for name, value in given.items():
        if not (storable(name) and storable(value)):
            raise InvalidRequest.of([{"field": name, "message": "must not contain NUL"}])
    return _parse(model, given)


def check_header(header: Header, request: Request) -> None:
    """Refuses a header that is there and empty or too long; raises InvalidRequest."""
    value = request.headers.get(header.name)
    if value is not None and not 1 <= len(value) <= header.longest:
        raise InvalidRequest(f"{header.name} must have 1 to {header.longest} characters.")
    if value is not None and header.pattern and not re.fullmatch(header.pattern, value):
        raise InvalidRequest(f"{header.name} does not have the right form. {header.description}.")


def _parse(model: type[BaseModel], value: dict[str, Any]) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _refused(error) from None


def _refused(error: ValidationError) -> InvalidRequest:
    """One entry per wrong field, up to a number: an answer must not outgrow its request."""
    errors = [_field_error(each) for each in error.errors(include_url=False)]
    refusal = InvalidRequest.of(errors)
    refusal.details["errors"] = errors[:_MAX_REPORTED]
    return refusal


def _field_error(error: Any) -> FieldError:
    field = ".".join(str(part) for part in error["loc"])
    return {"field": field[:_MAX_FIELD_NAME], "message": reason(error)}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ over which of two equal names counts, so neither does (RFC 8259, 4)."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedBody("A name stands twice in the same object.")
    return value


def _check_storable(value: Any, depth: int = 0) -> None:
    """Refuses what no database or client could give back, and nesting that is an attack."""
    if depth > _MAX_DEPTH:
        raise MalformedBody("The body is nested too deeply.")
    if isinstance(value, str):
        if not storable(value):
            raise MalformedBody("Text must not contain NUL or unpaired surrogates.")
    elif isinstance(value, _NUMBERS):
        if not _finite(value):
            raise MalformedBody("A number is too large.")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_storable(name, depth)
            _check_storable(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_storable(item, depth + 1)


def _finite(number: int | float) -> bool:
    if isinstance(number, int):
        return abs(number) <= _LARGEST_NUMBER
    return math.isfinite(number)
