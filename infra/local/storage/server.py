"""The stand-in's HTTP face: who may, and which API is meant."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from infra.local.storage import signatures
from infra.local.storage.accounts import TOKEN_LIFE, Account, Tokens, read_account
from infra.local.storage.disk import Disk
from infra.local.storage.errors import StorageError, forbidden, no_route, unauthenticated
from infra.local.storage.json_api import JsonApi
from infra.local.storage.uploads import Sessions
from infra.local.storage.xml_api import XmlApi

HOST = "127.0.0.1"
LARGEST_BODY = 1024**3
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, PUT, POST, OPTIONS",
    "Access-Control-Expose-Headers": "*",
}


class Server:
    """Routes by hand, on the path as sent: object names may hold any character, encoded."""

    def __init__(self, disk: Disk, accounts: list[Account], *, require_token: bool) -> None:
        sessions = Sessions()
        self._tokens = Tokens(accounts)
        self._json = JsonApi(disk, sessions)
        self._xml = XmlApi(disk, sessions)
        self._require_token = require_token

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Every request."""
        path = request.raw_path.partition("?")[0]
        if path == "/token" and request.method == "POST":
            return await self._token(request)
        parts = [unquote(part) for part in path.strip("/").split("/")]
        for prefix in (
            ["storage", "v1"],
            ["upload", "storage", "v1"],
            ["download", "storage", "v1"],
        ):
            if parts[: len(prefix)] == prefix:
                return await self._json_answer(request, prefix[0], parts[len(prefix) :])
        return await self._xml_answer(request, path)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = self._tokens.exchange(str(form.get("assertion", "")))
        if token is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(
            {"access_token": token, "expires_in": TOKEN_LIFE, "token_type": "Bearer"}
        )

    async def _json_answer(
        self, request: web.Request, api: str, parts: list[str]
    ) -> web.StreamResponse:
        try:
            if "upload_id" not in request.query:
                self._admit_client(request)
            return await self._json_route(request, api, parts)
        except StorageError as refusal:
            return refusal.as_json()

    async def _json_route(
        self, request: web.Request, api: str, parts: list[str]
    ) -> web.StreamResponse:
        match parts:
            case ["b", bucket, "o"] if api == "upload":
                return await self._json.upload(request, bucket)
            case ["b"]:
                return await self._json.buckets(request)
            case ["b", bucket]:
                return await self._json.bucket(request, bucket)
            case ["b", bucket, "o"] if request.method == "GET":
                return await self._json.objects(request, bucket)
            case ["b", b1, "o", o1, "copyTo" | "rewriteTo" as verb, "b", b2, "o", o2]:
                return await self._json.copy(request, verb=verb, source=(b1, o1), target=(b2, o2))
            case ["b", bucket, "o", name]:
                return await self._json.object(request, bucket, name)
        raise no_route(request.path)

    def _admit_client(self, request: web.Request) -> None:
        header = request.headers.get("Authorization", "")
        if header and not self._tokens.accept(header):
            raise unauthenticated("Invalid Credentials")
        if self._require_token and not header:
            raise unauthenticated("Anonymous caller does not have access")

    async def _xml_answer(self, request: web.Request, path: str) -> web.StreamResponse:
        if request.method == "OPTIONS":
            wanted = request.headers.get("Access-Control-Request-Headers", "*")
            return web.Response(headers=CORS | {"Access-Control-Allow-Headers": wanted})
        bucket, _, name = path.lstrip("/").partition("/")
        try:
            self._admit_stranger(request)
            answer: web.StreamResponse = await self._xml.object(
                request, unquote(bucket), unquote(name)
            )
        except StorageError as refusal:
            answer = refusal.as_xml()
        answer.headers.update(CORS)
        return answer

    def _admit_stranger(self, request: web.Request) -> None:
        """Every object is private: a signature or a token, or nothing."""
        if signatures.is_signed(request.raw_path):
            signed = signatures.SignedRequest(
                method=request.method, target=request.raw_path, headers=request.headers
            )
            signatures.verify(signed, self._tokens.key_of, dt.datetime.now(dt.UTC))
        elif not self._tokens.accept(request.headers.get("Authorization", "")):
            raise forbidden(
                "AccessDenied", "Anonymous caller does not have storage.objects.get access."
            )


@dataclass(frozen=True)
class Served:
    """Where it listens."""

    url: str


@asynccontextmanager
async def serve(
    root: Path,
    *,
    port: int = 0,
    accounts: Sequence[Path] = (),
    buckets: Sequence[str] = (),
    require_token: bool = False,
) -> AsyncIterator[Served]:
    """Serve the objects below `root` until the context ends.

    `accounts` are key files whose signatures count. `require_token` closes the JSON API to
    anonymous clients too, as the cloud does; the XML API is always closed to them.
    """
    disk = Disk(root)
    for bucket in set(buckets) - set(disk.buckets()):
        disk.create_bucket(bucket)
    server = Server(disk, [read_account(path) for path in accounts], require_token=require_token)
    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, port)
    await site.start()
    try:
        yield Served(f"http://{HOST}:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
