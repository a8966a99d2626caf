"""What has to change at RunPod so that an endpoint is as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.runpod_setup.wanted import SetupError, Wanted

JSON = dict[str, Any]
_FLASHBOOT_MARK = " -fb"  # what RunPod adds to the name of an endpoint with FlashBoot


@dataclass(frozen=True)
class Step:
    """One endpoint and what to do: make it (`endpoint_id` None), change it, or nothing."""

    wanted: Wanted
    endpoint_id: str | None
    changes: JSON
    told: tuple[str, ...]


def plan(wanted: list[Wanted], present: list[JSON], ids: Mapping[str, str]) -> list[Step]:
    """One step an endpoint. `ids` holds the settings that name endpoints made earlier.

    Raises SetupError where it is not clear which endpoint is meant.
    """
    return [_step(each, _found(each, present, ids.get(each.setting, ""))) for each in wanted]


def _found(wanted: Wanted, present: list[JSON], endpoint_id: str) -> JSON | None:
    if endpoint_id:
        named = [each for each in present if each["id"] == endpoint_id]
        if not named:
            raise SetupError(f"{wanted.key}: {wanted.setting} names no endpoint of this account")
        return named[0]
    same = [e for e in present if e["name"].removesuffix(_FLASHBOOT_MARK) == wanted.name]
    if len(same) > 1:
        ids = ", ".join(each["id"] for each in same)
        raise SetupError(f"{wanted.key}: {wanted.name} is the name of {ids}: set {wanted.setting}")
    return same[0] if same else None


def _step(wanted: Wanted, present: JSON | None) -> Step:
    if present is None:
        return Step(wanted, None, wanted.body, ("make " + wanted.name,))
    if present.get("type", "QUEUE") != "QUEUE" or not present.get("gpu"):
        raise SetupError(f"{wanted.key}: {present['id']} is no GPU endpoint with a queue")
    changes = dict(_changes(wanted.body, present))
    return Step(wanted, present["id"], changes, tuple(_told(changes, present)))


def _changes(body: JSON, present: JSON) -> Iterator[tuple[str, Any]]:
    """The fields to send. What the catalogue does not speak of stays as somebody made it."""
    for name in ("image", "timeout", "flashboot", "disk", "scaling"):
        if present.get(name) != body[name]:
            yield name, body[name]
    workers = {**present["workers"], **body["workers"]}
    if present["workers"] != workers:
        yield "workers", body["workers"]
    gpu = present["gpu"]
    if set(gpu["pools"]) != set(body["gpu"]["pools"]) or gpu.get("count", 1) != 1:
        yield "gpu", body["gpu"]
    env = present.get("env") or {}
    if not body["env"].items() <= env.items():
        yield "env", {**env, **body["env"]}  # the whole of it is replaced


def _told(changes: JSON, present: JSON) -> Iterator[str]:
    """In words; of the environment only the names, since values may be secret."""
    for name, new in changes.items():
        if name == "env":
            had = present.get("env") or {}
            names = sorted(each for each in new if had.get(each) != new[each])
            yield f"env: {', '.join(names)}"
        elif name == "gpu":
            yield f"gpu.pools: {_listed(present['gpu']['pools'])} -> {_listed(new['pools'])}"
        else:
            yield f"{name}: {present.get(name)} -> {new}"


def _listed(pools: list[str]) -> str:
    return ", ".join(sorted(pools))
