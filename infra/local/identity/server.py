"""Both projects' Identity Toolkit and token service on one port, as Firebase's emulator lays out.

A client's API key is the id of its project: that is how one port serves several.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from infra.local.identity import sessions
from infra.local.identity.accounts import Accounts
from infra.local.identity.errors import Refused
from infra.local.identity.toolkit import VERBS, Call, everybody, sign_up

HOST = "127.0.0.1"
OWNER = "Bearer owner"
TOOLKIT = "/identitytoolkit.googleapis.com/v1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """The HTTP face; out-of-band codes (mails) live in memory only."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._codes: dict[str, dict[str, dict[str, Any]]] = {}

    def app(self) -> web.Application:
        """Every route."""
        app = web.Application(middlewares=[_allow_browsers, _speak_plainly])
        project, emulator = f"{TOOLKIT}/projects/{{project}}", "/emulator/v1/projects/{project}"
        app.router.add_get("/", self.ready)
        app.router.add_get(f"{TOOLKIT}/projects", self.config)
        app.router.add_post(f"{TOOLKIT}/accounts:{{verb}}", self.verb)
        app.router.add_post("/securetoken.googleapis.com/v1/token", self.refresh)
        app.router.add_post(f"{project}/accounts", self.create)
        app.router.add_get(f"{project}/accounts:batchGet", self.list)
        app.router.add_post(f"{project}/accounts:{{verb}}", self.verb)
        app.router.add_get(f"{emulator}/oobCodes", self.codes)
        app.router.add_delete(f"{emulator}/accounts", self.clear)
        app.router.add_route("OPTIONS", "/{path:.*}", self.ready)
        return app

    async def ready(self, request: web.Request) -> web.Response:
        """Whether it is up; also the answer to every preflight."""
        del request
        return web.json_response({"authEmulator": {"ready": True}})

    async def config(self, request: web.Request) -> web.Response:
        """What the JavaScript client asks before it opens a window."""
        domains = ["localhost", "127.0.0.1"]
        return web.json_response({"projectId": _project(request), "authorizedDomains": domains})

    async def verb(self, request: web.Request) -> web.Response:
        """`accounts:VERB`, of the caller's project or, for its administrator, of a named one."""
        verb = VERBS.get(request.match_info["verb"])
        if verb is None:
            raise Refused("NOT_FOUND", 404)
        return web.json_response(verb(self._call(request), await _body(request)))

    async def create(self, request: web.Request) -> web.Response:
        """An administrator's new account."""
        return web.json_response(sign_up(self._call(request), await _body(request)))

    async def list(self, request: web.Request) -> web.Response:
        """Everybody, for an administrator."""
        call = self._call(request)
        if not call.admin:
            raise Refused("INSUFFICIENT_PERMISSION", 403)
        return web.json_response(everybody(call))

    async def refresh(self, request: web.Request) -> web.Response:
        """The token service."""
        form = await request.post() or await _body(request)
        token = str(form.get("refresh_token") or form.get("refreshToken") or "")
        return web.json_response(sessions.refreshed(self._accounts, _project(request), token))

    async def codes(self, request: web.Request) -> web.Response:
        """The mails that were sent."""
        sent = self._codes.get(request.match_info["project"], {})
        return web.json_response({"oobCodes": list(sent.values())})

    async def clear(self, request: web.Request) -> web.Response:
        """Forget everybody of a project."""
        self._accounts.clear(request.match_info["project"])
        return web.json_response({})

    def _call(self, request: web.Request) -> Call:
        project = _project(request)
        return Call(
            accounts=self._accounts,
            project=project,
            admin=request.headers.get("Authorization") == OWNER,
            codes=self._codes.setdefault(project, {}),
        )


@dataclass(frozen=True)
class Served:
    """Where it listens: the value of FIREBASE_AUTH_EMULATOR_HOST."""

    host: str


@asynccontextmanager
async def serve(*, port: int = 0, data: Path | None = None) -> AsyncIterator[Served]:
    """Serve until the context ends; without `data` everybody is forgotten then."""
    accounts = Accounts(data)
    runner = web.AppRunner(Server(accounts).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield Served(f"{HOST}:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
        accounts.close()


def _project(request: web.Request) -> str:
    project = request.match_info.get("project") or request.query.get("key", "")
    if not project:
        raise Refused("API key not valid. Please pass a valid API key.")
    return project


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise Refused("INVALID_JSON_PAYLOAD") from None
    if not isinstance(body, dict):
        raise Refused("INVALID_JSON_PAYLOAD")
    return body


@web.middleware
async def _allow_browsers(request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    wanted = request.headers.get("Access-Control-Request-Headers", "*")
    answer.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    answer.headers["Access-Control-Allow-Headers"] = wanted
    answer.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE, OPTIONS"
    answer.headers["Access-Control-Max-Age"] = "3600"
    return answer


@web.middleware
async def _speak_plainly(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refusal:
        return web.json_response(refusal.document(), status=refusal.status)
