"""Inputs that are files: an upload becomes an address that the worker can read, and an address
that somebody wrote must lead to the public internet."""

import copy
import uuid
from typing import Any, NamedTuple

from common.catalog.links import Path
from common.catalog.service import Runnable
from common.errors import InvalidInputs, Unavailable, UploadNotFound, UploadNotReady
from common.executions.tools import Tools
from common.gateways.errors import GatewayError
from common.gateways.outbound import OutboundError
from common.uploads import service as uploads


def attached(
    tools: Tools,
    model: Runnable,
    payload: dict[str, Any],
    *,
    given: dict[str, Any],
    consumer_id: uuid.UUID,
) -> dict[str, Any]:
    """The payload with what its consumer's addresses stand for. Raises InvalidInputs, Unavailable.

    Only fields that the consumer gave are looked at; the developer's own are in test runs.
    """
    resolved = payload
    for path in sorted(model.form.links(payload), key=str):
        if path[0] not in given:
            continue
        if resolved is payload:
            resolved = copy.deepcopy(payload)
        *_, last = path
        holder, field = _holder(resolved, path), _Field(_name(path), consumer_id, _seconds(model))
        holder[last] = _address(tools, field, holder[last])
    return resolved


def check_addresses(tools: Tools, model: Runnable, payload: dict[str, Any]) -> None:
    """Refuses a payload whose addresses, the developer's own among them, lead elsewhere than to
    the public internet. Raises InvalidInputs, Unavailable."""
    for path in sorted(model.form.links(payload), key=str):
        *_, last = path
        _check(tools, _name(path), _holder(payload, path)[last])


def _holder(payload: dict[str, Any], path: Path) -> Any:
    """The object or list that holds the last step of a path."""
    holder: Any = payload
    for step in path[:-1]:
        holder = holder[step]
    return holder


def _name(path: Path) -> str:
    return ".".join(map(str, path))


class _Field(NamedTuple):
    """Which field, whose uploads it may name, and for how long their addresses must be good."""

    name: str
    consumer_id: uuid.UUID
    seconds: int


def _address(tools: Tools, field: _Field, value: str) -> str:
    """What one value stands for."""
    if value.startswith(uploads.PREFIX):
        return _upload(tools, field, value)
    if value:
        _check(tools, field.name, value)
    return value


def _upload(tools: Tools, field: _Field, uri: str) -> str:
    try:
        return uploads.link(tools, uri, consumer_id=field.consumer_id, seconds=field.seconds)
    except (UploadNotFound, UploadNotReady) as error:
        raise InvalidInputs.of([{"field": field.name, "message": error.message}]) from None


def _check(tools: Tools, name: str, url: str) -> None:
    try:
        tools.outbound.check(url)
    except OutboundError as error:
        if error.passing:
            raise Unavailable from None
        message = f"cannot be used: {error}"  # its words are ours
        raise InvalidInputs.of([{"field": name, "message": message}]) from None
    except GatewayError:
        raise Unavailable from None


def _seconds(model: Runnable) -> int:
    """As long as a run may live: three attempts, each with its grace (functions.sql)."""
    return 3 * (90 + model.queue_seconds + model.execution_timeout_seconds) + 300
