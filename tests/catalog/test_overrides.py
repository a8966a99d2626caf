"""A configuration that could break a run is refused when saved; a form shows nothing secret."""

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError

from common.catalog.input_schema import MAX_SCHEMA_BYTES
from common.catalog.inputs import (
    ConfigOverrides,
    check_input_schema,
    check_overrides,
    visible_schema,
)
from common.errors import InvalidInputSchema, InvalidOverrides

SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Pictures",
    "required": ["prompt", "style"],
    "properties": {
        "prompt": {"type": "string", "minLength": 1, "maxLength": 40},
        "style": {"type": "string", "enum": ["oil", "ink"]},
        "width": {"type": "integer", "minimum": 64, "maximum": 1024, "default": 512},
        "steps": {"type": "integer", "minimum": 1, "maximum": 50},
        "palette": {"$ref": "#/$defs/palette"},
    },
    "$defs": {
        "palette": {"type": "array", "items": {"$ref": "#/$defs/colour"}},
        "colour": {"type": "string", "enum": ["red", "blue"]},
        "unused": {"const": "internal"},
    },
    "anyOf": [{"required": ["steps"]}, {"required": ["width"]}],
}


def refusals(schema: dict[str, Any], **members: Any) -> dict[str, str]:
    with pytest.raises(InvalidOverrides) as refused:
        check_overrides(schema, ConfigOverrides(**members))
    return {error["field"]: error["message"] for error in refused.value.details["errors"]}


def schema_refusals(schema: Any) -> list[str]:
    with pytest.raises(InvalidInputSchema) as refused:
        check_input_schema(schema)
    return [error["field"] for error in refused.value.details["errors"]]


def test_a_sound_configuration_is_accepted() -> None:
    check_overrides(
        SCHEMA,
        ConfigOverrides(
            default_inputs={"width": 256},
            locked_inputs={"style": "ink", "palette": ["red"]},
            hidden_fields=["style"],
            prompt_prefix="ink drawing of ",
        ),
    )


def test_null_members_mean_the_same_as_none_given() -> None:
    everything_null = ConfigOverrides.model_validate(
        {
            "defaultInputs": None,
            "lockedInputs": None,
            "hiddenFields": None,
            "promptPrefix": None,
            "promptSuffix": None,
        }
    )
    assert everything_null == ConfigOverrides()


@pytest.mark.parametrize(
    "body",
    [
        {"style": "anime", "default_steps": 5},
        {"hiddenFields": "prompt"},
        {"lockedInputs": ["width"]},
        {"promptPrefix": "a\x00b"},
        {"promptPrefix": "x" * 8_001},
        {"hiddenFields": [""]},
    ],
)
def test_a_configuration_of_another_shape_is_refused_w25(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConfigOverrides.model_validate(body)


@pytest.mark.parametrize("member", ["defaultInputs", "lockedInputs"])
def test_values_must_belong_to_a_field_and_fit_it(member: str) -> None:
    found = refusals(SCHEMA, **{member: {"colour": "red", "width": 7, "palette": ["green"]}})
    assert set(found) == {
        f"configOverrides.{member}.colour",
        f"configOverrides.{member}.width",
        f"configOverrides.{member}.palette.0",
    }


def test_values_that_no_database_can_hold_are_refused() -> None:
    assert set(refusals(SCHEMA, locked_inputs={"prompt": "a\ud800", "width": float("inf")})) == {
        "configOverrides.lockedInputs.prompt",
        "configOverrides.lockedInputs.width",
    }


def test_hidden_names_must_exist_and_be_named_once() -> None:
    found = refusals(SCHEMA, hidden_fields=["ghost", "steps", "steps"])
    assert set(found) == {"configOverrides.hiddenFields.0", "configOverrides.hiddenFields.2"}


def test_a_required_field_may_be_hidden_only_with_a_value_w10() -> None:
    assert (
        "style is required"
        in refusals(SCHEMA, hidden_fields=["style"])["configOverrides.hiddenFields.0"]
    )
    check_overrides(
        SCHEMA, ConfigOverrides(hidden_fields=["style"], default_inputs={"style": "oil"})
    )
    check_overrides(
        SCHEMA, ConfigOverrides(hidden_fields=["style"], locked_inputs={"style": "oil"})
    )


def test_a_prompt_wrap_needs_a_free_text_prompt() -> None:
    speech = {"type": "object", "properties": {"text": {"type": "string"}}}
    listed = {"type": "object", "properties": {"prompt": {"type": "string", "enum": ["a"]}}}
    assert set(refusals(speech, prompt_suffix="!")) == {"configOverrides.promptSuffix"}
    assert set(refusals(listed, prompt_prefix="x")) == {"configOverrides.promptPrefix"}


def test_a_prompt_wrap_must_leave_room_for_the_prompt() -> None:
    assert set(refusals(SCHEMA, prompt_prefix="x" * 20, prompt_suffix="y" * 20)) == {
        "configOverrides.promptPrefix"
    }
    check_overrides(SCHEMA, ConfigOverrides(prompt_prefix="x" * 20, prompt_suffix="y" * 19))


@pytest.mark.parametrize("member", ["defaultInputs", "lockedInputs"])
def test_a_preset_prompt_must_fit_beside_the_wrap(member: str) -> None:
    found = refusals(SCHEMA, prompt_prefix="x" * 30, **{member: {"prompt": "y" * 11}})
    assert set(found) == {f"configOverrides.{member}.prompt"}


def test_without_configuration_the_form_is_the_base_schema_with_its_needs() -> None:
    form = visible_schema(SCHEMA, None)
    assert form["properties"] == SCHEMA["properties"]
    assert form["required"] == ["prompt", "style"]
    assert form["additionalProperties"] is False


def test_hidden_fields_are_gone_from_the_whole_form() -> None:
    overrides = ConfigOverrides(
        hidden_fields=["steps", "style", "palette"], locked_inputs={"style": "ink"}
    )
    text = json.dumps(visible_schema(SCHEMA, overrides))
    for secret in ("steps", "style", "ink", "palette", "colour", "internal"):
        assert secret not in text


def test_a_locked_field_is_shown_read_only_with_its_value_and_is_not_required() -> None:
    form = visible_schema(SCHEMA, ConfigOverrides(locked_inputs={"style": "ink"}))
    assert form["properties"]["style"]["readOnly"] is True
    assert form["properties"]["style"]["default"] == "ink"
    assert form["required"] == ["prompt"]


def test_the_developers_default_wins_over_the_base_default_w24() -> None:
    form = visible_schema(SCHEMA, ConfigOverrides(default_inputs={"width": 256, "style": "oil"}))
    assert form["properties"]["width"]["default"] == 256
    assert form["required"] == ["prompt"]


def test_the_form_leaves_room_for_the_wrap_and_does_not_show_it() -> None:
    form = visible_schema(SCHEMA, ConfigOverrides(prompt_prefix="secret ", prompt_suffix=", hd"))
    assert form["properties"]["prompt"]["maxLength"] == 40 - 11
    assert "secret" not in json.dumps(form)


def test_only_definitions_that_visible_fields_use_are_shown() -> None:
    assert set(visible_schema(SCHEMA, None)["$defs"]) == {"palette", "colour"}


def test_the_base_schema_is_never_changed() -> None:
    before = copy.deepcopy(SCHEMA)
    form = visible_schema(SCHEMA, ConfigOverrides(prompt_prefix="x", locked_inputs={"width": 64}))
    form["$defs"]["palette"]["items"]["changed"] = True
    form["properties"]["prompt"]["changed"] = True
    assert before == SCHEMA


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        (["prompt"], "inputSchema"),
        ({"properties": {"a": {}}}, "inputSchema.type"),
        ({"type": "object"}, "inputSchema.properties"),
        ({"type": "object", "properties": {}}, "inputSchema.properties"),
        ({"type": "object", "properties": {"a b": {}}}, "inputSchema.properties.a b"),
        ({"type": "object", "properties": {"a": True}}, "inputSchema.properties.a"),
        (
            {"type": "object", "properties": {"a": {"type": "text"}}},
            "inputSchema.properties.a.type",
        ),
        (
            {"type": "object", "properties": {"a": {"pattern": "("}}},
            "inputSchema.properties.a.pattern",
        ),
        ({"type": "object", "properties": {"a": {}}, "required": ["b"]}, "inputSchema.required"),
        (
            {"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}},
            "inputSchema.properties.a.default",
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "https://example.com/s.json"}}},
            "inputSchema.properties.a.$ref",
        ),
        (
            {"type": "object", "properties": {"a": {"$id": "file:///etc/passwd"}}},
            "inputSchema.properties.a.$id",
        ),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"},
            "inputSchema.$schema",
        ),
        (
            {"type": "object", "properties": {"a": {"description": "x" * MAX_SCHEMA_BYTES}}},
            "inputSchema",
        ),
        ({"type": "object", "properties": {"a": {"minimum": float("nan")}}}, None),
    ],
)
def test_a_schema_that_no_run_could_be_checked_against_is_refused(
    schema: Any, field: str | None
) -> None:
    found = schema_refusals(schema)
    assert field is None or field in found


def test_a_reference_to_nowhere_and_a_bottomless_schema_are_refused() -> None:
    dangling = {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}
    assert schema_refusals(dangling)
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"items": deep}
    assert schema_refusals({"type": "object", "properties": {"a": deep}})


def test_a_sound_schema_is_accepted() -> None:
    check_input_schema(SCHEMA)
