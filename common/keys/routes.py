"""The routes about API keys, the same for consumers and developers. Keys cannot make keys."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from common.errors import Conflict, KeyNotFound, TarsifyError, TooManyKeys
from common.http import Call, Link, Reply
from common.http.app import Routes
from common.keys import service as keys
from common.keys.guards import Parts
from common.keys.queries import Kind
from common.keys.schemas import ConsumerKeyIn, KeyIn, KeyMade, KeyOut, RotateIn


def key_routes(
    parts: Callable[[], Parts],
    *,
    kind: Kind,
    guard: Callable[[Any], uuid.UUID],
    order: type[KeyIn] | type[ConsumerKeyIn],
    errors: tuple[type[TarsifyError], ...],
) -> Routes:
    """Routes whose guard answers the account's id and lets in ID tokens only."""
    routes = Routes()

    @routes.route(
        "POST",
        "/keys",
        guard=guard,
        body=order,
        out=KeyMade,
        status=201,
        errors=(*errors, TooManyKeys),
        tier="auth",
    )
    def make_key(call: Call[uuid.UUID, Any, None]) -> Reply:
        """Makes an API key and shows it this once."""
        with parts().db.transaction() as session:
            made = keys.issue(
                session,
                call.body,
                kind=kind,
                owner_id=call.principal,
                key_id=call.new_id(),
                now=parts().clock.now(),
            )
        return _shown_once(made)

    @routes.route(
        "GET",
        "/keys",
        guard=guard,
        out=list[KeyOut],
        errors=errors,
        links=(Link("0/id", ("DELETE /keys/<id>", "POST /keys/<id>/rotate")),),
    )
    def list_keys(call: Call[uuid.UUID, None, None]) -> list[KeyOut]:
        """Lists the caller's API keys, the newest first."""
        with parts().db.transaction() as session:
            return keys.list_of(session, kind, call.principal, parts().clock.now())

    @routes.route(
        "POST",
        "/keys/<id>/rotate",
        guard=guard,
        body=RotateIn,
        out=KeyMade,
        status=201,
        errors=(*errors, KeyNotFound, Conflict, TooManyKeys),
        tier="auth",
    )
    def rotate_key(call: Call[uuid.UUID, RotateIn, None]) -> Reply:
        """Makes a key's successor; both work until the overlap is over."""
        with parts().db.transaction() as session:
            made = keys.rotate(
                session,
                call.uuid("id"),
                kind=kind,
                owner_id=call.principal,
                new_id=call.new_id(),
                overlap=timedelta(hours=call.body.overlap_hours),
                now=parts().clock.now(),
            )
        return _shown_once(made)

    @routes.route("DELETE", "/keys/<id>", guard=guard, status=204, errors=(*errors, KeyNotFound))
    def revoke_key(call: Call[uuid.UUID, None, None]) -> None:
        """Ends a key at once."""
        with parts().db.transaction() as session:
            keys.revoke(
                session,
                call.uuid("id"),
                kind=kind,
                owner_id=call.principal,
                now=parts().clock.now(),
            )

    return routes


def _shown_once(made: KeyMade) -> Reply:
    return Reply(made, 201, kept=made.model_copy(update={"key": None}))
