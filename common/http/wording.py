"""Why a field was refused, in words that a form can show next to it."""

from typing import Any

# By pydantic's type of error; braces stand for what its context tells.
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "does not have the right form",
}
_FAMILIES = {
    "int_": "must be a whole number",
    "float_": "must be a number",
    "uuid_": "must be a UUID",
}


def reason(error: Any) -> str:
    """The sentence for one of pydantic's errors (a dict of `ValidationError.errors()`)."""
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    for family, words in _FAMILIES.items():
        if kind.startswith(family):
            return words
    if kind.endswith("too_short") or kind.endswith("too_long"):
        return _length(error, context)
    return str(error["msg"]).removeprefix("Value error, ")


def _length(error: Any, context: dict[str, Any]) -> str:
    things = "characters" if isinstance(error.get("input"), str) else "entries"
    if context.get("min_length") == 1:
        return "must not be empty"
    if "min_length" in context:
        return f"must have at least {context['min_length']} {things}"
    return f"must have at most {context['max_length']} {things}"
