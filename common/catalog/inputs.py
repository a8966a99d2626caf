"""From what a consumer sent to what a worker gets (design.md section 5). Pure: no I/O."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from common.catalog.input_schema import check_input_schema, checker, unstorable
from common.catalog.links import Path, links_in, mentions_links
from common.catalog.overrides import PROMPT, ConfigOverrides, check_overrides, visible_schema
from common.errors import BodyTooLarge, FieldError, InvalidInputs

__all__ = [
    "ConfigOverrides",
    "Form",
    "build_payload",
    "check_input_schema",
    "check_overrides",
    "form_of",
    "visible_schema",
]

Checker = Callable[[Any], list[FieldError]]
# RunPod refuses /run bodies above 10 MiB (runpod.md 1.5); the rest is webhook and policy.
MAX_PAYLOAD_BYTES = 10 * 1024 * 1024 - 16 * 1024

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Form:
    """What is derived once per version of a model."""

    visible: dict[str, Any]
    presets: dict[str, Any]
    overrides: ConfigOverrides
    errors_seen: Checker
    errors_whole: Checker
    linked: dict[str, Any] | None  # the base schema, if any part of it calls something an address

    def links(self, payload: dict[str, Any]) -> set[Path]:
        """Where in a payload addresses stand."""
        return links_in(self.linked, payload) if self.linked is not None else set()

    def payload(self, inputs: Any) -> dict[str, Any]:
        """What `build_payload` says."""
        given = _given(self.visible, inputs)
        errors = self.errors_seen(given)
        if errors:
            raise InvalidInputs.of(errors)
        payload = self.presets | given | self.overrides.locked_inputs
        _wrap_prompt(payload, self.overrides)
        _check_whole(self, payload)
        return copy.deepcopy(payload)


def build_payload(
    schema: dict[str, Any], overrides: ConfigOverrides | None, inputs: Any
) -> dict[str, Any]:
    """The worker's `input` object for what a consumer sent. The arguments stay as they are.

    Order: visible schema -> base defaults -> developer's defaults -> locked values -> prompt
    prefix and suffix -> full base schema -> size.

    null or "" in an optional field means "not given" (contract.md 4.3). Text that spells exactly
    one number or boolean is taken as such where a field is of that type and not text, since
    existing forms send what was typed (contract.md K13); 30.0 becomes 30 in a whole-number field,
    which workers refuse otherwise (runpod.md 5). No other coercion.

    Raises InvalidInputs naming each refused field; a hidden field is refused in the same words as
    one that does not exist. Raises BodyTooLarge above MAX_PAYLOAD_BYTES.
    """
    return form_of(schema, overrides).payload(inputs)


def form_of(schema: dict[str, Any], overrides: ConfigOverrides | None) -> Form:
    """A model's form, for whoever keeps it longer than one start."""
    return _form(_text(schema), (overrides or ConfigOverrides()).model_dump_json())


@lru_cache(maxsize=256)
def _form(schema_text: str, overrides_text: str) -> Form:
    schema = json.loads(schema_text)
    overrides = ConfigOverrides.model_validate_json(overrides_text)
    visible = visible_schema(schema, overrides)
    whole = {**schema, "additionalProperties": False}
    base = {n: own["default"] for n, own in schema["properties"].items() if "default" in own}
    return Form(
        visible=visible,
        presets=base | overrides.default_inputs,
        overrides=overrides,
        errors_seen=checker(visible),
        errors_whole=checker(whole),
        linked=schema if mentions_links(schema) else None,
    )


def _given(visible: dict[str, Any], inputs: Any) -> dict[str, Any]:
    """The consumer's values with blanks left out and spelled-out numbers read."""
    if not isinstance(inputs, dict):
        raise InvalidInputs.of([{"field": "inputs", "message": "must be a JSON object"}])
    refused = list(_refused_keys(visible["properties"], inputs))
    if refused:
        raise InvalidInputs.of(refused)
    given = {
        name: _coerced(_only_type(visible["properties"][name]), value)
        for name, value in inputs.items()
        if name in visible["required"] or value not in (None, "")
    }
    bad = unstorable(given, "")
    if bad:
        raise InvalidInputs.of([bad])
    return given


def _refused_keys(fields: dict[str, Any], inputs: dict[Any, Any]) -> Iterator[FieldError]:
    for name in inputs:
        if name not in fields:
            shown = str(name)[:64].encode("ascii", "backslashreplace").decode().replace("\x00", "")
            yield {"field": shown, "message": "is not a known field"}
        elif fields[name].get("readOnly"):
            yield {"field": name, "message": "is set by the model and cannot be changed"}


def _only_type(field: dict[str, Any]) -> Any:
    kinds = field.get("type")
    kinds = [kind for kind in kinds if kind != "null"] if isinstance(kinds, list) else [kinds]
    return kinds[0] if len(kinds) == 1 else None


def _coerced(kind: Any, value: Any) -> Any:
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    if kind == "integer" and _INTEGER.fullmatch(value):
        return int(value)
    if kind == "number" and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return _BOOLEANS.get(value, value) if kind == "boolean" else value


def _wrap_prompt(payload: dict[str, Any], overrides: ConfigOverrides) -> None:
    prompt = payload.get(PROMPT)
    if isinstance(prompt, str) and prompt:
        payload[PROMPT] = f"{overrides.prompt_prefix}{prompt}{overrides.prompt_suffix}"


def _check_whole(form: Form, payload: dict[str, Any]) -> None:
    """The last look. A fault that the consumer cannot see is reported without a name."""
    errors = form.errors_whole(payload)
    if errors:
        raise InvalidInputs.of([_shown(form, error) for error in errors])
    size = len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_PAYLOAD_BYTES:
        raise BodyTooLarge(f"The inputs may have at most {MAX_PAYLOAD_BYTES} bytes in all.")


def _shown(form: Form, error: FieldError) -> FieldError:
    field = form.visible["properties"].get(error["field"].partition(".")[0], {"readOnly": True})
    if field.get("readOnly"):
        return {"field": "", "message": "These inputs do not fit this model."}
    return error


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True, separators=(",", ":"))
