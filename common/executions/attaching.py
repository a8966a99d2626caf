"""Inputs that are files: an upload becomes an address that the worker can read, and an address
that a consumer wrote must lead to the public internet."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from common.catalog.service import Runnable
from common.errors import InvalidInputs, UploadNotFound, UploadNotReady
from common.executions.tools import Tools
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
    if not given:
        return payload
    seconds = _seconds(model)

    def resolved(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(name, item) for item in value]
        if not isinstance(value, str) or not value:
            return value
        if value.startswith(uploads.PREFIX):
            return _named(
                name,
                lambda: uploads.link(tools, value, consumer_id=wish.consumer_id, seconds=seconds),
            )
        _named(name, lambda: tools.outbound.check(value))
        return value

    return payload | {name: resolved(name, payload[name]) for name in given}


def _named(name: str, act: Callable[[], Any]) -> Any:
    """What goes wrong is the named field's fault."""
    try:
        return act()
    except (UploadNotFound, UploadNotReady) as error:
        raise InvalidInputs.of([{"field": name, "message": error.message}]) from None
    except OutboundError as error:  # its words are ours
        message = f"cannot be used: {error}"
        raise InvalidInputs.of([{"field": name, "message": message}]) from None


def _seconds(model: Runnable) -> int:
    """As long as a run may live: three attempts, each with its grace (functions.sql)."""
    return 3 * (90 + model.queue_seconds + model.execution_timeout_seconds) + 300
