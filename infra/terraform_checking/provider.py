"""A provider that knows a schema and no cloud: terraform validates, plans and tests against it.

`python provider.py SCHEMA TYPE...` prints what TF_REATTACH_PROVIDERS takes and serves plugin
protocol 6 on loopback until its input ends. It lives in an environment of its own, because the
protocol's generated classes need an older protobuf than Google's clients. It imports nothing of
ours for that reason. A plan is as good as the schema; an apply is refused.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import msgpack
from tf.gen import grpc_controller_pb2 as control
from tf.gen import grpc_controller_pb2_grpc as control_rpc
from tf.gen import tfplugin_pb2 as wire
from tf.gen import tfplugin_pb2_grpc as rpc

ADDRESS = "hashicorp/google"
UNKNOWN = msgpack.ExtType(0, b"\x00")
NESTING = {"single": 1, "list": 2, "set": 3}
# The generated classes are older than write-only attributes, field 11 of Schema.Attribute.
WRITE_ONLY = bytes([11 << 3, 1])
# What the bindings do not say: whose values the provider hides.
SENSITIVE = {
    ("google_sql_user", "password"),
    ("google_sql_database_instance", "root_password"),
    ("google_secret_manager_secret_version", "secret_data"),
    ("google_storage_hmac_key", "secret"),
    ("google_service_account_key", "private_key"),
}


def described(kind: str, block: dict[str, Any]) -> Any:
    """A block in terraform's words."""
    message = wire.Schema.Block()
    for name, it in block["attributes"].items():
        attribute = wire.Schema.Attribute(
            name=name,
            type=json.dumps(it["type"]).encode(),
            computed=it["computed"],
            optional=it["optional"],
            required=it["required"],
            sensitive=(kind, name) in SENSITIVE,
        )
        if it.get("write_only"):
            attribute.MergeFromString(WRITE_ONLY)
        message.attributes.append(attribute)
    for name, it in block["blocks"].items():
        message.block_types.append(
            wire.Schema.NestedBlock(
                type_name=name,
                block=described("", it["block"]),
                nesting=NESTING[it["nesting"]],
                min_items=it["min"],
                max_items=it["max"],
            )
        )
    return message


def planned(block: dict[str, Any], value: Any) -> Any:
    """What is to be, with everything that only Google can know left unknown."""
    if not isinstance(value, dict):
        return value
    for name, it in block["attributes"].items():
        if it.get("write_only"):
            value[name] = None
        elif it["computed"] and value.get(name) is None:
            value[name] = UNKNOWN
    for name, it in block["blocks"].items():
        inner = value.get(name)
        if isinstance(inner, list):
            value[name] = [planned(it["block"], each) for each in inner]
        else:
            value[name] = planned(it["block"], inner)
    return value


def imported(block: dict[str, Any], identity: str) -> dict[str, Any]:
    """What is there already, of which nothing is known but its name."""
    empty: dict[str, Any] = {
        name: None if it["nesting"] == "single" else [] for name, it in block["blocks"].items()
    }
    return dict.fromkeys(block["attributes"]) | empty | {"id": identity}


def complaints(
    block: dict[str, Any], value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where a value is none of an enumeration's, and what it may be."""
    if not isinstance(value, dict):
        return
    for name, it in block["attributes"].items():
        given = value.get(name)
        if isinstance(given, str) and given not in it.get("values", [given]):
            yield (*path, name), f"{name} is {given!r}, and must be one of {it['values']}"
    for name, it in block["blocks"].items():
        inner = value.get(name)
        for index, each in enumerate(inner if isinstance(inner, list) else [inner]):
            step: tuple[str | int, ...] = (name, index) if it["nesting"] == "list" else (name,)
            yield from complaints(it["block"], each, (*path, *step))


class Provider(rpc.ProviderServicer):  # type: ignore[misc]
    """Answers terraform from the schema."""

    def __init__(self, schema: dict[str, Any], types: set[str]) -> None:
        self._provider = schema["provider"]
        self._resources = {it: schema["resource"][it] for it in types & schema["resource"].keys()}
        self._data = {it: schema["data"][it] for it in types & schema["data"].keys()}
        self._described = self._describe()  # asked for by every command, and for every test

    def GetMetadata(self, _request: Any, context: Any) -> None:  # noqa: N802 - the protocol's names
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask for the schema")

    def _describe(self) -> Any:
        answer = wire.GetProviderSchema.Response(
            provider=wire.Schema(block=described("", self._provider))
        )
        for kind, block in self._resources.items():
            answer.resource_schemas[kind].CopyFrom(wire.Schema(block=described(kind, block)))
        for kind, block in self._data.items():
            answer.data_source_schemas[kind].CopyFrom(wire.Schema(block=described(kind, block)))
        return answer

    def GetProviderSchema(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return self._described

    def ValidateProviderConfig(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return wire.ValidateProviderConfig.Response()

    def ConfigureProvider(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return wire.ConfigureProvider.Response()

    def ValidateResourceConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        answer = wire.ValidateResourceConfig.Response()
        return _judged(self._resources[request.type_name], request, answer)

    def ValidateDataResourceConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        answer = wire.ValidateDataResourceConfig.Response()
        return _judged(self._data[request.type_name], request, answer)

    def PlanResourceChange(self, request: Any, _context: Any) -> Any:  # noqa: N802
        proposed = _unpacked(request.proposed_new_state)
        after = planned(self._resources[request.type_name], proposed)
        return wire.PlanResourceChange.Response(
            planned_state=_packed(after), legacy_type_system=True
        )

    def ReadDataSource(self, request: Any, context: Any) -> None:  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.type_name}: there is no cloud here")

    def UpgradeResourceState(self, request: Any, _context: Any) -> Any:  # noqa: N802
        state = wire.DynamicValue(json=request.raw_state.json)
        return wire.UpgradeResourceState.Response(upgraded_state=state)

    def ReadResource(self, request: Any, _context: Any) -> Any:  # noqa: N802
        return wire.ReadResource.Response(new_state=request.current_state)

    def ImportResourceState(self, request: Any, _context: Any) -> Any:  # noqa: N802
        state = _packed(imported(self._resources[request.type_name], request.id))
        answer = wire.ImportResourceState.Response()
        answer.imported_resources.add(type_name=request.type_name, state=state)
        return answer

    def ApplyResourceChange(self, request: Any, context: Any) -> None:  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.type_name}: there is no cloud here")

    def GetFunctions(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return wire.GetFunctions.Response()

    def StopProvider(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return wire.StopProvider.Response()


class Controller(control_rpc.GRPCControllerServicer):  # type: ignore[misc]
    """Terraform ends a plugin that it started; this one goes on for its next command."""

    def Shutdown(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return control.Empty()


def _judged(block: dict[str, Any], request: Any, answer: Any) -> Any:
    for path, text in complaints(block, _unpacked(request.config)):
        diagnostic = answer.diagnostics.add(severity=1, summary=text)
        for step in path:
            if isinstance(step, str):
                diagnostic.attribute.steps.add(attribute_name=step)
            else:
                diagnostic.attribute.steps.add(element_key_int=step)
    return answer


def _unpacked(value: Any) -> Any:
    return msgpack.unpackb(value.msgpack, strict_map_key=False)


def _packed(value: Any) -> Any:
    return wire.DynamicValue(msgpack=msgpack.packb(value))


def main(schema: str, *types: str) -> None:
    """Serves until standard input ends."""
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(8), options=unlimited)
    known = json.loads(Path(schema).read_text(encoding="utf-8"))
    rpc.add_ProviderServicer_to_server(Provider(known, set(types)), server)
    control_rpc.add_GRPCControllerServicer_to_server(Controller(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    reached = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
    plugin = {
        "Protocol": "grpc",
        "ProtocolVersion": 6,
        "Pid": os.getpid(),
        "Test": True,
        "Addr": reached,
    }
    print(json.dumps({ADDRESS: plugin}), flush=True)
    sys.stdin.read()
    server.stop(grace=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
