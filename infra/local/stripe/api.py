"""The HTTP side of the API: keys, forms, idempotency, faults, and answers as Stripe gives them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from infra.local.stripe.errors import Refused, out_of_reach
from infra.local.stripe.events import API_VERSION, NO_REQUEST
from infra.local.stripe.expanding import Include, expanded
from infra.local.stripe.faults import Switch
from infra.local.stripe.form import nested
from infra.local.stripe.idempotency import Answer
from infra.local.stripe.ids import new_id
from infra.local.stripe.parameters import Several, Text, read
from infra.local.stripe.routes import Call, Route
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
EXPAND = Several(of=Text(), most=20)
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


@dataclass(frozen=True)
class _Asked:
    """A request that was read: what it wants, under which ids, and the fault that strikes it."""

    route: Route
    path: str
    call: Call
    expand: list[str]
    name: str
    key: str | None
    fault: Switch | None

    def said(self) -> JSON:
        """Everything that a repetition must say again."""
        return {**self.call.params, "expand": self.expand}


class Api:
    """Answers `routes`; `include` finds the lists that only come expanded."""

    def __init__(self, simulator: Simulator, routes: list[Route], *, include: Include) -> None:
        self._sim = simulator
        self._routes = routes
        self._include = include

    def web_routes(self) -> list[web.RouteDef]:
        """Every route, and the refusal of all other paths under /v1."""
        known = [web.route(each.method, each.path, self._handler(each)) for each in self._routes]
        return [*known, web.route("*", "/v1/{rest:.*}", self._unrecognized)]

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._answered(request, route)

        return handle

    async def _unrecognized(self, request: web.Request) -> web.StreamResponse:
        message = f"Unrecognized request URL ({request.method}: {request.path})."
        return _response(request, Answer(404, Refused(message).document(), new_id("req")))

    async def _answered(self, request: web.Request, route: Route) -> web.StreamResponse:
        fault = self._sim.faults.strike(request.method, request.path)
        name = new_id("req")
        try:
            if fault is not None:
                _refuse_before_effect(fault)
            asked = await self._asked(request, route, name, fault)
            answer, replayed = await self._once(asked)
        except Refused as refusal:
            return _response(request, Answer(refusal.status, refusal.document(), name))
        if fault is not None and fault.fault == "late":
            await asyncio.sleep(fault.options.get("seconds", 1.0))
        if fault is not None and fault.fault == "lost":
            return _drop_connection(request)
        return _response(request, answer, name=name, replayed=replayed)

    async def _asked(
        self, request: web.Request, route: Route, name: str, fault: Switch | None
    ) -> _Asked:
        owner = self._admit(request)
        if owner != PLATFORM and route.method == "POST" and not route.for_accounts:
            raise Refused("The stand-in does this for the platform only, not for its accounts.")
        form = await _form(request)
        expand = EXPAND.read(form.pop("expand", {}), "expand")
        call = Call(owner, request.match_info, read(route.fields, form))
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        return _Asked(route, request.path, call, expand, name, key, fault)

    async def _once(self, asked: _Asked) -> tuple[Answer, bool]:
        """The call's answer, and whether it is that of an earlier call with the same key."""
        if asked.key is None:
            return await self._done(asked), False
        keys, owner, params = self._sim.keys, asked.call.owner, asked.said()
        earlier = keys.begin(asked.key, owner=owner, path=asked.path, params=params)
        if earlier is not None:
            return earlier, True
        try:
            answer = await self._done(asked)
            keys.finish(asked.key, answer, owner=owner, path=asked.path, params=params)
            self._sim.store.flush()
        finally:
            keys.abandon(asked.key, owner=owner)
        return answer, False

    async def _done(self, asked: _Asked) -> Answer:
        if asked.fault is not None and asked.fault.fault == "hang":
            await asyncio.sleep(asked.fault.options.get("seconds", 1.0))
        if asked.fault is not None and asked.fault.fault == "error":
            return Answer(500, _broken().document(), asked.name)
        self._sim.events.request = {"id": asked.name, "idempotency_key": asked.key}
        try:
            body = self._expanded(asked.route.handle(asked.call), asked.expand, asked.call.owner)
            # Taken down now: the object goes on changing, a kept answer must not.
            return Answer(200, json.loads(json.dumps(body)), asked.name)
        except Refused as refusal:
            return Answer(refusal.status, refusal.document(), asked.name)
        finally:
            self._sim.events.request = NO_REQUEST
            if asked.key is None:
                self._sim.store.flush()

    def _expanded(self, body: JSON, expand: list[str], owner: str) -> JSON:
        def look_up(name: str) -> JSON | None:
            return self._sim.store.search(name, owner=owner)

        return expanded(body, expand, look_up=look_up, include=self._include)

    def _admit(self, request: web.Request) -> str:
        """The account that the request is about.

        Raises:
            Refused: no key, a wrong one, or an account that the key does not open.
        """
        given = _key(request.headers.get("Authorization", ""))
        if not given:
            raise Refused(
                "You did not provide an API key. You need to provide your API key in the "
                "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                "YOUR_SECRET_KEY').",
                status=401,
            )
        if not hmac.compare_digest(given.encode(), self._sim.key.encode()):
            hidden = f"{given[:8]}{'*' * 8}{given[-4:]}"
            raise Refused(f"Invalid API Key provided: {hidden}", status=401)
        version = request.headers.get("Stripe-Version", API_VERSION)
        if not VERSION.fullmatch(version):
            raise Refused(f"Invalid Stripe API version: {version}")
        owner = request.headers.get("Stripe-Account", PLATFORM)
        if owner != PLATFORM and self._sim.store.find("account", owner, owner=PLATFORM) is None:
            raise out_of_reach(owner)
        return owner


def _key(authorization: str) -> str:
    scheme, _, rest = authorization.partition(" ")
    if scheme == "Bearer":
        return rest.strip()
    if scheme == "Basic":
        try:
            return base64.b64decode(rest).decode().partition(":")[0]
        except ValueError:
            return ""
    return ""


async def _form(request: web.Request) -> JSON:
    if request.method != "POST":
        return nested(parse_qsl(request.query_string, keep_blank_values=True))
    try:
        raw = (await request.read()).decode()
    except UnicodeDecodeError:
        raise Refused("Invalid request body: it is not UTF-8.") from None
    if raw and request.content_type not in ("application/x-www-form-urlencoded", "text/plain"):
        raise Refused(f"Invalid content type: {request.content_type}.")
    return nested(parse_qsl(raw, keep_blank_values=True))


def _refuse_before_effect(fault: Switch) -> None:
    if fault.fault == "rate_limit":
        raise Refused(
            "Request rate limit exceeded. Please retry later.", status=429, code="rate_limit"
        )
    if fault.fault == "error" and not fault.options.get("saved"):
        raise _broken()


def _broken() -> Refused:
    return Refused(
        "An unknown error occurred. Please try again later.", status=500, type="api_error"
    )


def _drop_connection(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


def _response(
    request: web.Request, answer: Answer, *, name: str | None = None, replayed: bool = False
) -> web.Response:
    headers = {
        "Request-Id": name or answer.request,
        "Stripe-Version": request.headers.get("Stripe-Version", API_VERSION),
        **_idempotency_headers(request.headers, answer, replayed=replayed),
    }
    return web.Response(
        body=json.dumps(answer.body, indent=2).encode(),
        status=answer.status,
        headers=headers,
        content_type="application/json",
    )


def _idempotency_headers(
    said: Mapping[str, str], answer: Answer, *, replayed: bool
) -> dict[str, str]:
    key = said.get("Idempotency-Key")
    if key is None:
        return {}
    headers = {"Idempotency-Key": key, "Original-Request": answer.request}
    if replayed:
        # Trying again would give the same answer for as long as the key lives.
        headers |= {"Idempotent-Replayed": "true", "Stripe-Should-Retry": "false"}
    return headers
