"""From a consumer's inputs to a worker's input object."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from common.catalog.inputs import (
    MAX_PAYLOAD_BYTES,
    ConfigOverrides,
    build_payload,
    check_overrides,
    visible_schema,
)
from common.errors import BodyTooLarge, InvalidInputs

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        "prompt": {"type": "string", "minLength": 1, "maxLength": 100},
        "negative_prompt": {"type": "string", "maxLength": 50, "default": "blurry"},
        "width": {"type": "integer", "enum": [512, 768, 1024], "default": 1024},
        "guidance": {"type": "number", "minimum": 0, "maximum": 20, "default": 7.5},
        "tiled": {"type": "boolean", "default": False},
        "seed": {"type": ["integer", "null"], "minimum": 0},
        "safety": {"type": "string", "default": "on"},
    },
}
NOTHING = ConfigOverrides()


def refusals(
    inputs: Any, overrides: ConfigOverrides = NOTHING, schema: dict[str, Any] = SCHEMA
) -> dict[str, str]:
    with pytest.raises(InvalidInputs) as refused:
        build_payload(schema, overrides, inputs)
    return {error["field"]: error["message"] for error in refused.value.details["errors"]}


def test_base_defaults_fill_what_was_not_given_k13() -> None:
    assert build_payload(SCHEMA, None, {"prompt": "a cat"}) == {
        "prompt": "a cat",
        "negative_prompt": "blurry",
        "width": 1024,
        "guidance": 7.5,
        "tiled": False,
        "safety": "on",
    }


def test_what_the_consumer_gave_wins_over_the_developers_default_and_that_over_the_base() -> None:
    overrides = ConfigOverrides(default_inputs={"width": 512, "guidance": 3})
    payload = build_payload(SCHEMA, overrides, {"prompt": "a", "guidance": 9})
    assert (payload["width"], payload["guidance"]) == (512, 9)


@pytest.mark.parametrize("blank", [None, ""])
def test_blank_optional_fields_count_as_not_given(blank: Any) -> None:
    overrides = ConfigOverrides(default_inputs={"negative_prompt": "ugly"})
    payload = build_payload(
        SCHEMA, overrides, {"prompt": "a", "negative_prompt": blank, "seed": blank}
    )
    assert payload["negative_prompt"] == "ugly"
    assert "seed" not in payload


def test_zero_and_false_are_values() -> None:
    overrides = ConfigOverrides(default_inputs={"guidance": 3, "tiled": True})
    payload = build_payload(SCHEMA, overrides, {"prompt": "a", "guidance": 0, "tiled": False})
    assert (payload["guidance"], payload["tiled"]) == (0, False)


@pytest.mark.parametrize("inputs", [{}, {"prompt": ""}, {"prompt": None}])
def test_a_required_field_left_blank_is_refused_by_name(inputs: dict[str, Any]) -> None:
    assert set(refusals(inputs)) == {"prompt"}


def test_a_field_both_locked_and_hidden_keeps_its_locked_value_w10() -> None:
    overrides = ConfigOverrides(locked_inputs={"safety": "strict"}, hidden_fields=["safety"])
    assert build_payload(SCHEMA, overrides, {"prompt": "a"})["safety"] == "strict"


def test_a_hidden_prompt_is_still_wrapped_w10() -> None:
    overrides = ConfigOverrides(
        locked_inputs={"prompt": "a lamp"},
        hidden_fields=["prompt"],
        prompt_prefix="old ",
        prompt_suffix="!",
    )
    assert build_payload(SCHEMA, overrides, {})["prompt"] == "old a lamp!"


def test_a_locked_field_is_refused_by_name_even_with_its_own_value() -> None:
    overrides = ConfigOverrides(locked_inputs={"width": 512})
    assert refusals({"prompt": "a", "width": 512}, overrides) == {
        "width": "is set by the model and cannot be changed"
    }


def test_a_hidden_field_is_refused_in_the_words_for_a_field_that_does_not_exist() -> None:
    overrides = ConfigOverrides(
        locked_inputs={"safety": "strict"}, hidden_fields=["safety", "seed"]
    )
    found = refusals({"prompt": "a", "safety": "off", "seed": 1, "nonsense": 1}, overrides)
    assert len(found) == 3
    assert len(set(found.values())) == 1


def test_every_wrong_field_is_named() -> None:
    found = refusals({"prompt": "x" * 101, "width": 513, "guidance": 21, "tiled": "maybe"})
    assert set(found) == {"prompt", "width", "guidance", "tiled"}


def test_refusals_never_repeat_what_was_sent() -> None:
    found = refusals({"prompt": "private words " * 10, "negative_prompt": "hush " * 20})
    assert not any("private" in text or "hush" in text for text in found.values())


def test_a_wrapped_prompt_that_would_not_fit_is_refused_at_the_visible_limit() -> None:
    overrides = ConfigOverrides(prompt_prefix="p" * 30, prompt_suffix="s" * 10)
    assert len(build_payload(SCHEMA, overrides, {"prompt": "x" * 60})["prompt"]) == 100
    assert "60" in refusals({"prompt": "x" * 61}, overrides)["prompt"]


@pytest.mark.parametrize(
    ("field", "typed", "meant"),
    [
        ("width", "768", 768),
        ("width", 768.0, 768),
        ("guidance", "7.25", 7.25),
        ("guidance", "7", 7),
        ("tiled", "true", True),
        ("seed", "42", 42),
        ("negative_prompt", "12", "12"),
    ],
)
def test_typed_numbers_and_booleans_are_read_without_loss(
    field: str, typed: Any, meant: Any
) -> None:
    value = build_payload(SCHEMA, None, {"prompt": "a", field: typed})[field]
    assert value == meant
    assert type(value) is type(meant)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("width", "768.0"),
        ("width", " 768"),
        ("width", "٧٦٨"),
        ("guidance", "1e1"),
        ("guidance", "NaN"),
        ("tiled", "yes"),
        ("tiled", 1),
        ("width", True),
        ("seed", "9" * 5000),
    ],
)
def test_anything_that_is_not_plainly_a_number_or_boolean_is_refused(
    field: str, typed: Any
) -> None:
    assert set(refusals({"prompt": "a", field: typed})) == {field}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "a\x00", "\ud800", {"a": ["\x00"]}])
def test_what_postgres_cannot_hold_is_refused_by_name(value: Any) -> None:
    schema = {"type": "object", "properties": {"any": {}}}
    (field,) = refusals({"any": value}, schema=schema)
    assert field.split(".")[0] == "any"


def test_unknown_names_are_shown_in_a_form_that_can_be_stored() -> None:
    (shown,) = refusals({"prompt": "a", "\x00\ud800" + "x" * 500: 1})
    assert "\x00" not in shown
    assert len(shown.encode()) < 200


@pytest.mark.parametrize("inputs", [None, [], "prompt", 3])
def test_inputs_must_be_an_object(inputs: Any) -> None:
    assert set(refusals(inputs)) == {"inputs"}


def test_a_payload_above_the_providers_limit_is_refused_before_it_is_sent() -> None:
    schema = {"type": "object", "properties": {"data": {"type": "string"}}}
    build_payload(schema, None, {"data": "é" * (MAX_PAYLOAD_BYTES // 2 - 10)})
    with pytest.raises(BodyTooLarge):
        build_payload(schema, None, {"data": "é" * (MAX_PAYLOAD_BYTES // 2)})


def test_a_rule_between_fields_holds_and_names_no_hidden_field() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    overrides = ConfigOverrides(locked_inputs={"b": "x"}, hidden_fields=["b"])
    assert set(refusals({"a": "1"}, overrides, schema)) == {""}


def test_a_fault_of_a_hidden_value_is_reported_without_its_name() -> None:
    stale = ConfigOverrides(locked_inputs={"width": 1}, hidden_fields=["width"])
    assert set(refusals({"prompt": "a"}, stale)) == {""}


def test_presets_of_one_run_are_not_shared_with_the_next() -> None:
    schema = {"type": "object", "properties": {"sampling": {"type": "object", "default": {"n": 1}}}}
    build_payload(schema, None, {})["sampling"]["n"] = 99
    assert build_payload(schema, None, {}) == {"sampling": {"n": 1}}


SECRET = "Zq7secret"
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
names = st.sampled_from([*SCHEMA["properties"], "other"]) | st.text(max_size=4)
inputs_strategy = st.dictionaries(names, values | st.lists(values, max_size=2), max_size=6)
valid: dict[str, st.SearchStrategy[Any]] = {
    "prompt": st.just("a lamp") | st.just(SECRET),
    "negative_prompt": st.just(SECRET),
    "width": st.sampled_from([512, 768]),
    "guidance": st.just(3),
    "tiled": st.booleans(),
    "seed": st.integers(0, 9),
    "safety": st.just(SECRET),
}


@st.composite
def configurations(draw: st.DrawFn) -> ConfigOverrides:
    def some() -> dict[str, Any]:
        chosen = draw(st.sets(st.sampled_from(sorted(valid))))
        return {name: draw(valid[name]) for name in sorted(chosen)}

    locked, defaults = some(), some()
    hideable = sorted((set(valid) - {"prompt"}) | (locked.keys() & {"prompt"}))
    return ConfigOverrides(
        default_inputs=defaults,
        locked_inputs=locked,
        hidden_fields=sorted(draw(st.sets(st.sampled_from(hideable)))),
        prompt_prefix=draw(st.sampled_from(["", f"{SECRET}-prefix "])),
        prompt_suffix=draw(st.sampled_from(["", f" {SECRET}-suffix"])),
    )


@settings(max_examples=300, deadline=None)
@given(overrides=configurations(), inputs=inputs_strategy)
def test_a_consumer_can_never_change_a_locked_or_hidden_field(
    overrides: ConfigOverrides, inputs: dict[str, Any]
) -> None:
    check_overrides(SCHEMA, overrides)
    before = copy.deepcopy((SCHEMA, overrides, repr(inputs)))
    expected = build_presets(overrides)
    try:
        payload = build_payload(SCHEMA, overrides, inputs)
    except InvalidInputs:
        payload = None
    if payload is not None:
        for name in {*overrides.locked_inputs, *overrides.hidden_fields}:
            assert payload.get(name) == expected.get(name)
    assert (SCHEMA, overrides, repr(inputs)) == before


@settings(max_examples=300, deadline=None)
@given(overrides=configurations(), data=st.data())
def test_whatever_the_form_accepts_makes_a_run_under_every_accepted_configuration(
    overrides: ConfigOverrides, data: st.DataObject
) -> None:
    check_overrides(SCHEMA, overrides)
    form = visible_schema(SCHEMA, overrides)
    open_fields = [n for n, own in form["properties"].items() if not own.get("readOnly")]
    optional = sorted(set(open_fields) - set(form["required"]))
    chosen = {*form["required"], *data.draw(st.sets(st.sampled_from(optional or ["-"])))} - {"-"}
    inputs = {name: data.draw(valid[name]) for name in sorted(chosen)}
    Draft202012Validator(form).validate(inputs)
    payload = build_payload(SCHEMA, overrides, inputs)
    Draft202012Validator(SCHEMA).validate(payload)
    if "prompt" in inputs:
        wrapped = overrides.prompt_prefix + inputs["prompt"] + overrides.prompt_suffix
        assert payload["prompt"] == wrapped


@settings(max_examples=200, deadline=None)
@given(overrides=configurations())
def test_a_form_never_shows_a_hidden_name_a_hidden_value_or_the_prompt_wrap(
    overrides: ConfigOverrides,
) -> None:
    form = visible_schema(SCHEMA, overrides)
    text = json.dumps(form)
    assert "-prefix" not in text
    assert "-suffix" not in text
    shown = overrides.default_inputs | overrides.locked_inputs
    if not any(shown.get(n) == SECRET for n in shown if n not in overrides.hidden_fields):
        assert SECRET not in text
    for name in overrides.hidden_fields:
        assert f'"{name}"' not in text


def build_presets(overrides: ConfigOverrides) -> dict[str, Any]:
    """What each field holds when the consumer sends nothing, told in another way than the code."""
    expected: dict[str, Any] = {}
    for name, own in SCHEMA["properties"].items():
        for source in (overrides.locked_inputs, overrides.default_inputs):
            if name in source:
                expected[name] = source[name]
                break
        else:
            if "default" in own:
                expected[name] = own["default"]
    if "prompt" in expected:
        expected["prompt"] = overrides.prompt_prefix + expected["prompt"] + overrides.prompt_suffix
    return expected
