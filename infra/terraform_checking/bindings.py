"""The google provider's schema, read out of its bindings for the CDK, which PyPI carries.

The bindings are generated from the provider's own schema. Each class of their JavaScript lists its
attributes with a comment (computed, optional, required), and one literal says of each argument
whether it is a block and of which type. Their type declarations list the values of enumerations.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Block = dict[str, Any]  # {"attributes": {name: {...}}, "blocks": {name: {...}}}
KINDS = {"TerraformResource": "resource", "TerraformDataSource": "data"}
PROVIDER = "TerraformProvider"

_CLASS = re.compile(r"^class (\w+) extends \w+\.(\w+) \{$(.*?)^\}$", re.M | re.S)
_ATTRIBUTE = re.compile(
    r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n"
    r"(.*?)(?=^    // \w+ - |^    // =|\Z)",
    re.M | re.S,
)
_FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(.*?\{$(.*?)^\}$", re.M | re.S)
_ARGUMENT = re.compile(
    r'^ +(\w+): \{\n +value: ([^\n]*),\n +isBlock: (\w+),\n +type: "(\w+)",\n'
    r' +storageClassType: "(\w+)"',
    re.M,
)
_MEMBER = re.compile(r"new (?:\w+\.)?(\w+)\(this, \"\w+\"")
_GETTER = re.compile(r"this\.get(\w+)Attribute\(")
_INTERFACE = re.compile(r"^export interface (\w+)Config extends[^{]*\{$(.*?)^\}$", re.M | re.S)
_NESTED_INTERFACE = re.compile(r"^export interface (\w+) \{$(.*?)^\}$", re.M | re.S)
_PROPERTY = re.compile(r"/\*\*((?:(?!\*/).)*)\*/\s*readonly \w+\??: string;", re.S)
_VALUES = re.compile(r"Possible values: \[([^\]]+)\]")
_LINK = re.compile(r"#(\w+) ")

_BY_GETTER: dict[str, Any] = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
}
_SIMPLE: dict[str, Any] = {"string": "string", "number": "number", "boolean": "bool"}


@dataclass
class _Argument:
    """What the literal says of an argument."""

    is_block: bool
    shape: str  # simple, list, set, map or struct
    storage: str  # string, stringList, ..., or the class that holds it
    write_only: bool


@dataclass
class _Bindings:
    """One file of the bindings, by class."""

    bodies: dict[str, tuple[str, str]] = field(default_factory=dict)
    arguments: dict[str, dict[str, _Argument]] = field(default_factory=dict)
    values: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def schema_of(archive: Path) -> dict[str, Any]:
    """{"provider": block, "resource": {type: block}, "data": {type: block}} of the bindings."""
    schema: dict[str, Any] = {"provider": None, "resource": {}, "data": {}}
    for files in _files(archive):
        bindings = _parsed(files["js"], files["ts"])
        for name, (base, body) in bindings.bodies.items():
            if base == PROVIDER:
                schema["provider"] = _block(bindings, name)
                schema["provider"]["attributes"].pop("alias", None)  # terraform's own
            elif base in KINDS:
                kind = re.search(r'tfResourceType = "(\w+)"', body)
                assert kind is not None, name
                schema[KINDS[base]][kind[1]] = _block(bindings, name)
    return schema


def write_schema(archive: Path, target: Path) -> None:
    """Writes the schema as JSON."""
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(schema_of(archive), separators=(",", ":")))
    partial.replace(target)


def _files(archive: Path) -> Iterator[Mapping[str, str]]:
    """The JavaScript and the declarations of each folder."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"js": [], "ts": []})
    with tarfile.open(archive, "r:gz") as package:
        for member in package:
            path = re.fullmatch(r"package/lib/([^/]+)/.+?(\.d)?\.(js|ts)", member.name)
            if path:
                reader = package.extractfile(member)
                assert reader is not None
                found[path[1]][path[3]].append(reader.read().decode())
    for folder in sorted(found):
        yield {kind: "\n".join(texts) for kind, texts in found[folder].items()}


def _parsed(script: str, declarations: str) -> _Bindings:
    bindings = _Bindings()
    for found in _CLASS.finditer(script):
        bindings.bodies[found[1]] = (found[2], found[3])
        bindings.arguments[found[1]] = _arguments(found[3])
    for found in _FUNCTION.finditer(script):
        owner = found[1][0].upper() + found[1][1:] + "OutputReference"
        bindings.arguments.setdefault(owner, {}).update(_arguments(found[2]))
    for pattern, suffix in ((_INTERFACE, ""), (_NESTED_INTERFACE, "OutputReference")):
        for found in pattern.finditer(declarations):
            bindings.values[found[1] + suffix] = dict(_enumerations(found[2]))
    return bindings


def _arguments(text: str) -> dict[str, _Argument]:
    return {
        name: _Argument(block == "true", shape, storage, "markWriteOnly" in value)
        for name, value, block, shape, storage in _ARGUMENT.findall(text)
    }


def _enumerations(text: str) -> Iterator[tuple[str, list[str]]]:
    for found in _PROPERTY.finditer(text):
        words = re.sub(r"\n\s*\* ?", " ", found[1])
        name, values = _LINK.search(words), _VALUES.search(words)
        if name and values:
            yield name[1], re.findall(r'"([^"]*)"', values[1])


def _block(bindings: _Bindings, name: str, outer: tuple[str, ...] = ()) -> Block:
    """The block that a class describes, with those inside it."""
    block: Block = {"attributes": {}, "blocks": {}}
    path = (*outer, name)
    for attribute, *flags, body in _ATTRIBUTE.findall(bindings.bodies[name][1]):
        computed, optional, required = (flag == "true" for flag in flags)
        argument = bindings.arguments[name].get(attribute)
        inner = _inner_class(bindings, body)
        if argument and argument.is_block and inner and inner not in path and not computed:
            block["blocks"][attribute] = _nested(bindings, body, argument, required, path)
            continue
        described: dict[str, Any] = {
            "type": _type(bindings, body, argument, path),
            "computed": computed,
            "optional": optional,
            "required": required,
        }
        if "Write-only" in body or (argument and argument.write_only):
            described["write_only"] = True
        if values := bindings.values.get(name, {}).get(attribute):
            described["values"] = values
        block["attributes"][attribute] = described
    return block


def _nested(
    bindings: _Bindings, body: str, argument: _Argument, required: bool, path: tuple[str, ...]
) -> dict[str, Any]:
    inner = _inner_class(bindings, body)
    assert inner is not None
    member = _MEMBER.search(body)
    assert member is not None
    one = bindings.bodies[member[1]][0] == "ComplexObject"
    nesting = {"struct": "single", "set": "set"}.get(argument.shape, "list")
    return {
        "nesting": nesting,
        "min": int(required and nesting != "single"),
        "max": int(one and nesting != "single"),
        "block": _block(bindings, inner, path),
    }


def _inner_class(bindings: _Bindings, body: str) -> str | None:
    """The class of one element of what an attribute holds, if it holds objects."""
    member = _MEMBER.search(body)
    if member is None or member[1] not in bindings.bodies:
        return None
    base = bindings.bodies[member[1]][0]
    cut = {"ComplexList": "List", "ComplexMap": "Map"}.get(base)
    return f"{member[1].removesuffix(cut)}OutputReference" if cut else member[1]


def _type(bindings: _Bindings, body: str, argument: _Argument | None, path: tuple[str, ...]) -> Any:
    inner = _inner_class(bindings, body)
    if inner:
        if inner in path:  # the bindings fold deep recursion together
            return "dynamic"
        return [_collection(bindings, body, argument), _object(_block(bindings, inner, path))]
    member = _MEMBER.search(body)
    if member:  # cdktn's own collections: StringMap and the like
        return _stored(member[1][0].lower() + member[1][1:], "list")
    if argument and argument.shape in ("simple", "list", "set", "map"):
        return _stored(argument.storage, argument.shape)
    getter = _GETTER.search(body)
    found = _BY_GETTER.get(getter[1], "dynamic") if getter else "dynamic"
    if "Fn.tolist" in body and isinstance(found, list):
        return ["set", found[1]]
    return found


def _collection(bindings: _Bindings, body: str, argument: _Argument | None) -> str:
    member = _MEMBER.search(body)
    if member and bindings.bodies[member[1]][0] == "ComplexMap":
        return "map"
    is_set = (argument and argument.shape == "set") or re.search(r'this, "\w+", true\)', body)
    return "set" if is_set else "list"


def _stored(storage: str, shape: str) -> Any:
    """The type of a cdktn storage class: `string`, `stringList`, `stringMapList`, `anyMap` ..."""
    if storage in _SIMPLE:
        return _SIMPLE[storage]
    for suffix in ("List", "Map"):
        if storage.endswith(suffix):
            element = _stored(storage.removesuffix(suffix), "list")
            kind = "map" if suffix == "Map" else "set" if shape == "set" else "list"
            return "dynamic" if element == "dynamic" else [kind, element]
    return "dynamic"


def _object(block: Block) -> Any:
    """The block as the type of one object."""
    members = {name: it["type"] for name, it in block["attributes"].items()}
    for name, it in block["blocks"].items():
        kind = "list" if it["nesting"] == "single" else it["nesting"]
        members[name] = [kind, _object(it["block"])]
    return ["object", members]
