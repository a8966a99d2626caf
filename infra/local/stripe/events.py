"""Events: a snapshot of whatever changed, kept, listed and brought to the receivers."""

from __future__ import annotations

import copy
from typing import Any

from infra.local.runpod.clock import Clock
from infra.local.stripe.deliveries import Deliveries
from infra.local.stripe.ids import new_id
from infra.local.stripe.store import Store

JSON = dict[str, Any]
NO_REQUEST: JSON = {"id": None, "idempotency_key": None}

API_VERSION = "2026-10-28.endive"
"""The version that the pinned SDK speaks; the account's default."""


class Events:
    """Makes events; `request` names the API call that is being done, if one is."""

    def __init__(
        self, clock: Clock, store: Store, deliveries: Deliveries, *, platform: str
    ) -> None:
        self._clock = clock
        self._store = store
        self._deliveries = deliveries
        self._platform = platform
        self.request: JSON = NO_REQUEST

    def emit(
        self, event_type: str, body: JSON, *, owner: str | None = None, previous: JSON | None = None
    ) -> JSON:
        """`body` has changed in the way that `event_type` says.

        `owner` is the account whose object it is (the platform's if not given); `previous` holds
        the former values of what changed.
        """
        owner = owner or self._platform
        data: JSON = {"object": copy.deepcopy(body)}
        if previous is not None:
            data["previous_attributes"] = copy.deepcopy(previous)
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": int(self._clock.now()),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": dict(self.request),
            "type": event_type,
        }
        if owner != self._platform:
            event["account"] = owner
        self._store.add(event, owner=owner)
        self._deliveries.dispatch(event, owner=owner)
        return event
