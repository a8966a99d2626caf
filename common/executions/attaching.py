"""Inputs that are files: an upload becomes an address that the worker can read, and an address
that a consumer wrote must lead to the public internet."""

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from common.catalog.service import Runnable
from common.errors import InvalidInputs, Unavailable, UploadNotFound, UploadNotReady
from common.executions.tools import Tools
from common.gateways.errors import GatewayError
from common.gateways.outbound import OutboundError
from common.uploads import service as uploads

if TYPE_CHECKING:
    from common.executions.starting import Wish


def attached(
    tools: Tools, model: Runnable, wish: "Wish", payload: dict[str, Any]
) -> dict[str, Any]:
    """The payload with what its consumer's addresses stand for. Raises InvalidInputs, Unavailable.

    Only what the consumer wrote is looked at; the developer's own values were theirs to check.
    """
    given = model.form.links & wish.inputs.keys() & payload.keys()
    resolved = payload.copy()
    for name in given:
        value, field = payload[name], _Field(name, wish.consumer_id, _seconds(model))
        several = isinstance(value, list)
        found = [_address(tools, field, each) for each in (value if several else [value])]
        resolved[name] = found if several else found[0]
    return resolved


class _Field(NamedTuple):
    """Which field, whose uploads it may name, and for how long their addresses must be good."""

    name: str
    consumer_id: uuid.UUID
    seconds: int


def _address(tools: Tools, field: _Field, value: Any) -> Any:
    """What one value stands for."""
    if not isinstance(value, str) or not value:
        return value
    if value.startswith(uploads.PREFIX):
        return _upload(tools, field, value)
    _check(tools, field, value)
    return value


def _upload(tools: Tools, field: _Field, uri: str) -> str:
    try:
        return uploads.link(tools, uri, consumer_id=field.consumer_id, seconds=field.seconds)
    except (UploadNotFound, UploadNotReady) as error:
        raise InvalidInputs.of([{"field": field.name, "message": error.message}]) from None


def _check(tools: Tools, field: _Field, url: str) -> None:
    try:
        tools.outbound.check(url)
    except OutboundError as error:
        if error.passing:
            raise Unavailable from None
        message = f"cannot be used: {error}"  # its words are ours
        raise InvalidInputs.of([{"field": field.name, "message": message}]) from None
    except GatewayError:
        raise Unavailable from None


def _seconds(model: Runnable) -> int:
    """As long as a run may live: three attempts, each with its grace (functions.sql)."""
    return 3 * (90 + model.queue_seconds + model.execution_timeout_seconds) + 300
