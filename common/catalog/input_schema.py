"""Input schemas of base models: what one may be, and what an instance gets wrong.

JSON Schema 2020-12 through jsonschema-rs: a tenth of the import time of the pure Python engine,
no network (offline), and patterns in linear time, so that no schema can stall a process.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from common.errors import FieldError, InvalidInputSchema

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMA_DEPTH = 16
MAX_VALUE_DEPTH = 32
MAX_FIELDS = 100
MAX_ERRORS = 50

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_LOCAL_REF = re.compile(r"#/\$defs/[A-Za-z0-9_.-]+")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# They name other schemas or change what a schema means; a form needs none of them.
_REFUSED_KEYWORDS = frozenset(
    {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$recursiveRef"}
)
_TYPE_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_MESSAGES = {
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "exclusiveMinimum": "must be more than {limit}",
    "exclusiveMaximum": "must be less than {limit}",
    "multipleOf": "must be a multiple of {multiple_of}",
    "minLength": "is too short: the minimum is {limit} characters",
    "maxLength": "is too long: the maximum is {limit} characters",
    "minItems": "has too few entries: the minimum is {limit}",
    "maxItems": "has too many entries: the maximum is {limit}",
    "format": "must be a valid {format}",
    "pattern": "does not have the expected form",
}


def check_input_schema(schema: Any) -> None:
    """Refuse what no form could be made of or what a run could not be checked against.

    Raises InvalidInputSchema whose details.errors name the place, e.g. inputSchema.required.
    """
    problems = _structure_problems(schema) or _field_problems(schema)
    if problems:
        raise InvalidInputSchema(errors=problems)


def errors_in(schema: dict[str, Any], instance: Any, *, prefix: str = "") -> list[FieldError]:
    """Each way the instance breaks the schema, in our words: values are never repeated."""
    return _problems(compiled(_canonical(schema)), instance, prefix=prefix)


def checker(schema: dict[str, Any]) -> Callable[[Any], list[FieldError]]:
    """`errors_in` for one schema and many instances: the schema is not looked at again."""
    validator = compiled(_canonical(schema))
    return lambda instance: _problems(validator, instance)


def field_schema(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """One field's own schema, with the definitions that it may refer to."""
    own: dict[str, Any] = schema["properties"][name]
    return {**own, "$defs": schema["$defs"]} if "$defs" in schema else own


def unstorable(value: Any, path: str, *, depth: int = 0) -> FieldError | None:
    """What neither JSON nor PostgreSQL's jsonb can hold: NaN, infinity, NUL, lone surrogates."""
    if depth > MAX_VALUE_DEPTH:
        return _error(path, "is nested too deeply")
    if isinstance(value, str):
        return None if is_clean_text(value) else _error(path, "contains characters not allowed")
    if isinstance(value, float):
        return None if math.isfinite(value) else _error(path, "must be a finite number")
    if isinstance(value, dict):
        return _unstorable_member(value, path, depth)
    if isinstance(value, list):
        found = (unstorable(v, f"{path}.{i}", depth=depth + 1) for i, v in enumerate(value))
        return next((error for error in found if error), None)
    return None if value is None or isinstance(value, int) else _error(path, "is not JSON")


def is_clean_text(text: str) -> bool:
    """Whether jsonb can hold the text: no NUL and no lone surrogate."""
    return _UNSTORABLE.search(text) is None


@lru_cache(maxsize=512)
def compiled(schema_text: str) -> "Draft202012Validator":
    """The validator for a schema given as JSON text; the text is the cache's key."""
    from jsonschema_rs import Draft202012Validator, RegexOptions

    return Draft202012Validator(
        json.loads(schema_text), validate_formats=True, offline=True, pattern_options=RegexOptions()
    )


def _canonical(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _problems(
    validator: "Draft202012Validator", instance: Any, *, prefix: str = ""
) -> list[FieldError]:
    found: list[FieldError] = []
    for error in validator.iter_errors(instance):
        found.extend(_described(error, prefix))
        if len(found) >= MAX_ERRORS:
            break
    return found[:MAX_ERRORS]


def _unstorable_member(value: dict[Any, Any], path: str, depth: int) -> FieldError | None:
    for key, member in value.items():
        if not isinstance(key, str) or not is_clean_text(key):
            return _error(path, "has a field name that is not allowed")
        error = unstorable(member, f"{path}.{key}" if path else key, depth=depth + 1)
        if error:
            return error
    return None


def _structure_problems(schema: Any) -> list[FieldError]:
    """What must hold before the fields can be looked at one by one."""
    if not isinstance(schema, dict):
        return [_error("inputSchema", "must be a JSON object")]
    bad = unstorable(schema, "inputSchema")
    if bad:
        return [bad]
    if len(_canonical(schema)) > MAX_SCHEMA_BYTES:
        return [_error("inputSchema", f"must be at most {MAX_SCHEMA_BYTES} bytes")]
    found = list(_keyword_problems(schema, "inputSchema")) + list(_root_problems(schema))
    return found or _compile_problems(schema)


def _keyword_problems(node: Any, path: str, depth: int = 0) -> Iterator[FieldError]:
    if depth > MAX_SCHEMA_DEPTH:
        yield _error(path, f"is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    elif isinstance(node, dict):
        for key, value in node.items():
            here = f"{path}.{key}"
            if key in _REFUSED_KEYWORDS:
                yield _error(here, "is not supported here")
            elif key == "$ref" and not (isinstance(value, str) and _LOCAL_REF.fullmatch(value)):
                yield _error(here, "must point into this schema's own $defs")
            else:
                yield from _keyword_problems(value, here, depth + 1)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _keyword_problems(value, f"{path}.{index}", depth + 1)


def _root_problems(schema: dict[str, Any]) -> Iterator[FieldError]:
    if schema.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
        yield _error("inputSchema.$schema", "must be JSON Schema 2020-12, or left out")
    if schema.get("type") != "object":
        yield _error("inputSchema.type", 'must be "object"')
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not 1 <= len(properties) <= MAX_FIELDS:
        yield _error("inputSchema.properties", f"must hold 1 to {MAX_FIELDS} fields")
        return
    for name, own in properties.items():
        if not _FIELD_NAME.fullmatch(name):
            yield _error(f"inputSchema.properties.{name[:64]}", "is not a valid field name")
        elif not isinstance(own, dict):
            yield _error(f"inputSchema.properties.{name}", "must be a JSON object")


def _compile_problems(schema: dict[str, Any]) -> list[FieldError]:
    from jsonschema_rs import ReferencingError, ValidationError

    try:
        compiled(_canonical(schema))
    except ValidationError as error:
        path = ".".join(["inputSchema", *(str(part) for part in error.instance_path)])
        return [_error(path, error.message[:200])]
    except (ReferencingError, ValueError) as error:
        return [_error("inputSchema", str(error).splitlines()[0][:200])]
    return []


def _field_problems(schema: dict[str, Any]) -> list[FieldError]:
    found = [
        _error("inputSchema.required", f"names an unknown field: {name[:64]}")
        for name in schema.get("required", [])
        if name not in schema["properties"]
    ]
    for name, own in schema["properties"].items():
        if "default" in own:
            path = f"inputSchema.properties.{name}.default"
            found += errors_in(field_schema(schema, name), own["default"], prefix=path)
    return found


def _described(error: "ValidationError", prefix: str) -> Iterator[FieldError]:
    path = [*([prefix] if prefix else []), *(str(part) for part in error.instance_path)]
    facts = error.kind.as_dict()
    if error.kind.name == "required":
        yield _error(".".join([*path, str(facts["property"])]), "is required")
    elif error.kind.name in ("additionalProperties", "unevaluatedProperties"):
        for name in facts["unexpected"]:
            yield _error(".".join([*path, str(name)[:64]]), "is not a known field")
    else:
        yield _error(".".join(path), _message(error.kind.name, facts))


def _message(kind: str, facts: dict[str, Any]) -> str:
    if kind == "type":
        names = [_TYPE_NAMES.get(name, name) for name in facts["types"] if name != "null"]
        return "must be " + (" or ".join(names) or "null")
    if kind == "enum":
        options = (json.dumps(option, ensure_ascii=False) for option in facts["options"][:30])
        return "must be one of " + ", ".join(options)
    return _MESSAGES.get(kind, "is not valid").format(**facts)


def _error(field: str, message: str) -> FieldError:
    return {"field": field, "message": message}
