"""A developer's configuration of a base model, and the form that consumers see because of it."""

import copy
import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from common.catalog.input_schema import errors_in, field_schema, is_clean_text, unstorable
from common.errors import FieldError, InvalidOverrides

MAX_FIELDS = 100
MAX_AFFIX_CHARACTERS = 8_000
ROOT = "configOverrides"
PROMPT = "prompt"

# Keywords of the root that say something about single fields. The others (anyOf, dependentRequired
# and the like) could name a hidden field, so only the full base schema enforces them.
_VISIBLE_ROOT_KEYWORDS = ("$schema", "title", "description")


def _none_as_empty_map(value: Any) -> Any:
    return {} if value is None else value


def _none_as_empty_list(value: Any) -> Any:
    return [] if value is None else value


def _none_as_empty_text(value: Any) -> Any:
    return "" if value is None else value


def _clean(text: str) -> str:
    if not is_clean_text(text):
        raise ValueError("contains characters not allowed")
    return text


_Values = Annotated[
    dict[str, JsonValue], BeforeValidator(_none_as_empty_map), Field(max_length=MAX_FIELDS)
]
_Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64)]],
    BeforeValidator(_none_as_empty_list),
    Field(max_length=MAX_FIELDS),
]
_Affix = Annotated[
    str,
    BeforeValidator(_none_as_empty_text),
    Field(max_length=MAX_AFFIX_CHARACTERS),
    AfterValidator(_clean),
]


class ConfigOverrides(BaseModel):
    """contract.md 4.3. A null member means the same as one left out."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    default_inputs: _Values = Field(default_factory=dict)
    locked_inputs: _Values = Field(default_factory=dict)
    hidden_fields: _Names = Field(default_factory=list)
    prompt_prefix: _Affix = ""
    prompt_suffix: _Affix = ""

    @property
    def affix_length(self) -> int:
        """Characters that wrapping adds to the prompt."""
        return len(self.prompt_prefix) + len(self.prompt_suffix)


def visible_schema(schema: dict[str, Any], overrides: ConfigOverrides | None) -> dict[str, Any]:
    """The form of a consumer; nothing of it tells that hidden fields or a prompt wrap exist.

    Hidden fields are gone. A locked field that is not hidden stays as readOnly with its value as
    the default, for the reader's information. A developer's default replaces the base model's.
    `required` keeps only what the consumer must send: whatever has a value already is optional.
    A prompt's maxLength leaves room for the secret prefix and suffix.
    """
    overrides = overrides or ConfigOverrides()
    fields = {
        name: _visible_field(name, own, overrides)
        for name, own in schema["properties"].items()
        if name not in overrides.hidden_fields
    }
    form: dict[str, Any] = {
        key: schema[key] for key in _VISIBLE_ROOT_KEYWORDS if isinstance(schema.get(key), str)
    }
    form |= {
        "type": "object",
        "properties": fields,
        "required": [
            n for n in schema.get("required", []) if "default" not in fields.get(n, "default")
        ],
        "additionalProperties": False,
    }
    definitions = _reachable_definitions(schema.get("$defs", {}), fields)
    return copy.deepcopy(form | ({"$defs": definitions} if definitions else {}))


def check_overrides(schema: dict[str, Any], overrides: ConfigOverrides) -> None:
    """Refuse a configuration under which some run of the model could not succeed.

    Raises InvalidOverrides; paths read like configOverrides.lockedInputs.width.
    """
    problems = [
        *_value_problems(schema, overrides.default_inputs, f"{ROOT}.defaultInputs"),
        *_value_problems(schema, overrides.locked_inputs, f"{ROOT}.lockedInputs"),
        *_hidden_problems(schema, overrides),
        *_affix_problems(schema, overrides),
    ]
    if problems:
        raise InvalidOverrides.of(problems)


def _visible_field(name: str, own: dict[str, Any], overrides: ConfigOverrides) -> dict[str, Any]:
    field = dict(own)
    if name in overrides.default_inputs:
        field["default"] = overrides.default_inputs[name]
    if name in overrides.locked_inputs:
        field |= {"default": overrides.locked_inputs[name], "readOnly": True}
    if name == PROMPT and overrides.affix_length and "maxLength" in field:
        field["maxLength"] = max(0, field["maxLength"] - overrides.affix_length)
    return field


def _reachable_definitions(definitions: dict[str, Any], root: Any) -> dict[str, Any]:
    """The definitions that the visible fields use: the others may describe hidden ones."""
    found: dict[str, Any] = {}
    waiting = [root]
    while waiting:
        for name in _referred(waiting.pop()):
            if name in definitions and name not in found:
                found[name] = definitions[name]
                waiting.append(definitions[name])
    return found


def _referred(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        node = list(node.values())
    if isinstance(node, list):
        for member in node:
            yield from _referred(member)


def _value_problems(
    schema: dict[str, Any], values: dict[str, Any], path: str
) -> Iterator[FieldError]:
    for name, value in values.items():
        here = f"{path}.{name[:64]}"
        bad = unstorable(value, here)
        if name not in schema["properties"]:
            yield _error(here, "is not a field of this base model")
        elif bad:
            yield bad
        else:
            yield from errors_in(field_schema(schema, name), value, prefix=here)


def _hidden_problems(schema: dict[str, Any], overrides: ConfigOverrides) -> Iterator[FieldError]:
    given = overrides.default_inputs.keys() | overrides.locked_inputs.keys()
    for index, name in enumerate(overrides.hidden_fields):
        here = f"{ROOT}.hiddenFields.{index}"
        if name not in schema["properties"]:
            yield _error(here, f"{json.dumps(name)} is not a field of this base model")
        elif name in overrides.hidden_fields[:index]:
            yield _error(here, f"{name} is named twice")
        elif (
            name in schema.get("required", [])
            and name not in given
            and "default" not in schema["properties"][name]
        ):
            yield _error(here, f"{name} is required: give it a default or lock it to hide it")


def _affix_problems(schema: dict[str, Any], overrides: ConfigOverrides) -> Iterator[FieldError]:
    if not overrides.affix_length:
        return
    here = f"{ROOT}.{'promptPrefix' if overrides.prompt_prefix else 'promptSuffix'}"
    prompt = schema["properties"].get(PROMPT)
    if prompt is None or prompt.get("type") != "string":
        yield _error(here, "needs a base model with a text field named prompt")
        return
    if prompt.keys() & {"enum", "const", "pattern", "format"}:
        yield _error(here, "needs a prompt of free text, which this base model does not have")
    room = prompt.get("maxLength", overrides.affix_length + 1) - overrides.affix_length
    if room < max(1, prompt.get("minLength", 0)):
        yield _error(
            here, f"leaves no room for a prompt of at most {prompt['maxLength']} characters"
        )
        return
    yield from _preset_prompt_problems(prompt, overrides, room=room)


def _preset_prompt_problems(
    prompt: dict[str, Any], overrides: ConfigOverrides, *, room: int
) -> Iterator[FieldError]:
    if "maxLength" not in prompt:
        return
    presets = {
        f"{ROOT}.lockedInputs.{PROMPT}": overrides.locked_inputs.get(PROMPT),
        f"{ROOT}.defaultInputs.{PROMPT}": overrides.default_inputs.get(
            PROMPT, prompt.get("default")
        ),
    }
    for here, value in presets.items():
        if isinstance(value, str) and len(value) > room:
            yield _error(here, f"must have at most {room} characters beside the prefix and suffix")


def _error(field: str, message: str) -> FieldError:
    return {"field": field, "message": message}
