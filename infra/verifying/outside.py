"""What anybody sees from outside: who answers, who is let in, and what cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from requests import Response

from common.gateways.tasks import KINDS
from infra.calling import Caller
from infra.local.front_door import FrontDoor
from infra.release.smoke import ready_paths
from infra.verifying.checklist import Check, expect
from infra.verifying.visit import MARKET, STAFF, STUDIO, Visit

FOREIGN = "https://foreign.example"
GUARDED = (f"{MARKET}/credits", f"{STUDIO}/earnings", f"{STAFF}/audit")
# What internal functions are called for; functions/cleanup/main.py has the second row.
CALLS = {
    "tasks": KINDS,
    "cleanup": ("sweep", "cancels", "payments", "reconcile", "endpoints", "audit"),
}
REFUSALS = {401, 403, 404, 405}


class Outside:
    """The checks that change nothing."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def checks(self) -> list[Check]:
        """In the order in which they are made."""
        ready: list[Check] = [
            (f"{name} is ready", partial(self._ready, name))
            for name in sorted(set(ready_paths().values()))
        ]
        return [
            *ready,
            ("browsers of our own pages are let in", self._own_origin),
            ("browsers of foreign pages are not", self._foreign_origin),
            ("the catalogue is open to all", self._catalogue),
            ("nobody is let in without a token", self._no_token),
            ("nobody is let in with a token of the other side", self._other_side),
            ("the internal functions cannot be reached", self._internal),
        ]

    def _ready(self, name: str) -> str:
        paths = [path for path, answers in ready_paths().items() if answers == name]
        said = [self._visit.anybody.call("GET", path) for path in paths]
        expect(all(it["service"] == f"tarsify-{name}" for it in said), f"another answers: {said}")
        versions = {it["version"] for it in said}
        expect(len(versions) == 1, f"several versions answer: {sorted(versions)}")
        self._visit.notes["environment"] = said[0]["environment"]
        latency = max(it["checks"]["database"]["latency"] for it in said)
        return f"version {versions.pop()}, its database answers in {latency} ms"

    def _own_origin(self) -> str:
        origin = self._visit.wanted.origin
        allowed = self._preflights(origin)
        expect(set(allowed.values()) == {origin}, f"{origin} is answered {allowed}")
        return f"{origin} at {len(allowed)} functions"

    def _foreign_origin(self) -> str:
        allowed = self._preflights(FOREIGN)
        expect(set(allowed.values()) == {None}, f"{FOREIGN} is answered {allowed}")
        return f"{FOREIGN} is told nothing"

    def _preflights(self, origin: str) -> dict[str, str | None]:
        """What a browser is told that asks whether a page of `origin` may call."""
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type",
        }
        answers = {path: self._ask("OPTIONS", path, headers) for path in GUARDED}
        for path, answer in answers.items():
            expect(answer.status_code == 204, f"OPTIONS {path}: {answer.status_code}")
        return {
            path: answer.headers.get("Access-Control-Allow-Origin")
            for path, answer in answers.items()
        }

    def _catalogue(self) -> str:
        answer = self._ask("GET", f"{MARKET}/models")
        expect(answer.ok, f"it answers {answer.status_code}")
        return f"{answer.json()['meta']['total']} models are offered"

    def _no_token(self) -> str:
        for path in GUARDED:
            _refused(self._ask("GET", path), {401})
            _refused(Caller(self._visit.wanted.url, "made-up").ask("GET", path), {401})
        return f"{len(GUARDED)} functions refuse none and a made-up one"

    def _other_side(self) -> str:
        it = self._visit
        for person, path in (
            (it.consumer, f"{STUDIO}/earnings"),
            (it.consumer, f"{STAFF}/audit"),
            (it.developer, f"{MARKET}/credits"),
        ):
            _refused(person.ask("GET", path), {401, 403})
        return "consumers are no developers, nor staff; developers no consumers"

    def _internal(self) -> str:
        paths = [
            f"{prefix}/{call}"
            for name in sorted(FrontDoor.read().internal)
            for call in (*CALLS[name], "health")
            for prefix in ("", f"/{name}", f"/api/{name}")
            if f"{prefix}/{call}" != "/health"
        ]
        for path in paths:
            _refused(self._visit.anybody.ask("POST", path, {}), REFUSALS)
        for url in self._visit.wanted.internal_urls:
            for call in {call for calls in CALLS.values() for call in calls}:
                _refused(Caller(url.rstrip("/")).ask("POST", f"/{call}", {}), REFUSALS)
        own = len(self._visit.wanted.internal_urls)
        return f"{len(paths)} paths of the front door refuse, and {own} addresses of their own"

    def _ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return self._visit.anybody.ask(method, path, headers=headers)


def _refused(answer: Response, wanted: set[int]) -> None:
    asked = f"{answer.request.method} {answer.request.path_url}"
    expect(answer.status_code in wanted, f"{asked} is answered {answer.status_code}")
