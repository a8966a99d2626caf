"""From bytes to checked values. Every refusal names the field and leaves no trace."""

import json
import re
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from werkzeug.wrappers import Request

from common.errors import (
    BodyTooLarge,
    FieldError,
    InvalidRequest,
    MalformedBody,
    UnsupportedMediaType,
)

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MAX_DEPTH = 64


def read_bytes(request: Request, limit: int) -> bytes:
    """The raw body, at most `limit` bytes; raises BodyTooLarge before reading more."""
    if (request.content_length or 0) > limit:
        raise BodyTooLarge(f"The body is larger than {limit} bytes.", limitBytes=limit)
    data = request.stream.read(limit + 1)
    if len(data) > limit:
        raise BodyTooLarge(f"The body is larger than {limit} bytes.", limitBytes=limit)
    return bytes(data)


def read_json(request: Request, limit: int) -> Any:
    """The body as JSON; an empty body is an empty object, whatever its declared type (K5)."""
    data = read_bytes(request, limit)
    if not data.strip():
        return {}
    kind = (request.mimetype or "").lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedBody from None
    if not isinstance(value, dict):
        raise MalformedBody
    _check_storable(value)
    return value


def parse(model: type[BaseModel], value: Any) -> Any:
    """An instance of `model`; raises InvalidRequest with one entry per wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidRequest.of([_field_error(e) for e in error.errors()]) from None


def parse_query(model: type[BaseModel], request: Request) -> Any:
    """The query string as an instance of `model`; a repeated name counts once, the last one."""
    return parse(model, {name: values[-1] for name, values in request.args.lists()})


def _field_error(error: Any) -> FieldError:
    message = str(error["msg"]).removeprefix("Value error, ")
    return {"field": ".".join(str(part) for part in error["loc"]), "message": message}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_storable(value: Any, depth: int = 0) -> None:
    """PostgreSQL cannot hold NUL or lone surrogates, and deep nesting is an attack."""
    if depth > _MAX_DEPTH:
        raise MalformedBody("The body is nested too deeply.")
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise MalformedBody("Text must not contain NUL or unpaired surrogates.")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_storable(name, depth)
            _check_storable(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_storable(item, depth + 1)
