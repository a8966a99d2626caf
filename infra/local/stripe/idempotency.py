"""Idempotency keys: the first answer is kept and given again (v1 of Stripe's API)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from infra.local.runpod.clock import Clock
from infra.local.stripe.errors import Refused
from infra.local.stripe.store import Store

JSON = dict[str, Any]
KIND = "_idempotency_key"
LIFE_SECONDS = 24 * 3600
LONGEST = 255


@dataclass(frozen=True)
class Answer:
    """An answer as it was first given: HTTP status, body, and the id of that request."""

    status: int
    body: JSON
    request: str


class Keys:
    """The keys of all accounts; a key lives 24 hours from its first use."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self._in_flight: set[tuple[str, str]] = set()

    def begin(self, key: str, *, owner: str, path: str, params: JSON) -> Answer | None:
        """The answer that was given to this key; None: go on, and then `finish` or `abandon` it.

        Raises:
            Refused: the key belongs to another request, or its request is still going on.
        """
        if len(key) > LONGEST:
            raise Refused(f"Idempotency keys may be up to {LONGEST} characters long.")
        fingerprint = _fingerprint(path, params)
        known = self._store.find(KIND, key, owner=owner)
        if known is not None and self._clock.now() >= known["created"] + LIFE_SECONDS:
            self._store.remove(KIND, key, owner=owner)
            known = None
        if known is not None:
            _check_same(known, key, path, fingerprint)
            if (owner, key) not in self._in_flight:
                return Answer(known["status"], known["body"], known["request"])
        if (owner, key) in self._in_flight:
            raise Refused(
                "There is currently another in-progress request using this Idempotent Key (that "
                "probably means you submitted twice, and the other request is still going "
                f"through): {key}. Please try again later.",
                status=409,
                type="idempotency_error",
                code="idempotency_key_in_use",
            )
        self._in_flight.add((owner, key))
        return None

    def finish(self, key: str, answer: Answer, *, owner: str, path: str, params: JSON) -> None:
        """Keep the answer."""
        self._in_flight.discard((owner, key))
        record = {
            "object": KIND,
            "id": key,
            "created": self._clock.now(),
            "path": path,
            "fingerprint": _fingerprint(path, params),
            "status": answer.status,
            "body": answer.body,
            "request": answer.request,
        }
        self._store.add(record, owner=owner)

    def abandon(self, key: str, *, owner: str) -> None:
        """The request came to nothing; the key is free again."""
        self._in_flight.discard((owner, key))

    def prune(self) -> None:
        """Forget keys that are over."""
        oldest = self._clock.now() - LIFE_SECONDS
        for owner in self._store.owners(KIND):
            for record in self._store.every(KIND, owner=owner):
                if record["created"] > oldest:
                    break
                self._store.remove(KIND, record["id"], owner=owner)


def _fingerprint(path: str, params: JSON) -> str:
    said = json.dumps([path, params], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _check_same(known: JSON, key: str, path: str, fingerprint: str) -> None:
    if known["fingerprint"] == fingerprint:
        return
    if known["path"] == path:
        misuse = "with the same parameters they were first used with"
    else:
        misuse = f"for the same endpoint they were first used for ('{known['path']}' vs '{path}')"
    raise Refused(
        f"Keys for idempotent requests can only be used {misuse}. Try using a key other than "
        f"'{key}' if you meant to execute a different request.",
        type="idempotency_error",
    )
