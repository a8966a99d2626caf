"""Events on the wire. An event's id is also the cursor that leads to the next ones."""

from pydantic import Field

from common.http import In, JsonObject, Out, Timestamp


class EventsQuery(In):
    """Which events to read: the ones after `after`, the oldest first."""

    after: str | None = Field(None, pattern=r"^evt_\d{1,18}_\d{1,18}$")
    limit: int = Field(100, ge=1, le=100)


class EventOut(Out):
    """Something that happened. `id` is also the webhook-id of its deliveries."""

    id: str
    type: str
    timestamp: Timestamp
    data: JsonObject
