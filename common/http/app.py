"""A function's HTTP side: finds the route, the caller and the values, and renders the answer.

An instance is called with functions-framework's own Flask request: a second Flask application
inside would cost half the request rate (measured, see the README's benchmarks).
"""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import flask
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from common import logs
from common.errors import (
    BadRequest,
    IdempotencyKeyReused,
    RequestInFlight,
    RouteNotFound,
    TarsifyError,
    TooManyRequests,
    Unexpected,
)
from common.http import cors, parsing
from common.http.call import Call, Raw, Reply
from common.http.failures import failure_of
from common.http.gate import Gate, Tier, fingerprint
from common.http.openapi import document
from common.http.responses import JSON, SECURITY_HEADERS, render, render_error
from common.http.routes import (
    IDEMPOTENCY_KEY,
    JSON_BODY_BYTES,
    Guard,
    Header,
    Link,
    Route,
    RouteTable,
)
from common.needs import require
from common.settings import Settings

Handler = TypeVar("Handler", bound=Callable[..., Any])
log = logs.Log("http")
_TRACE = re.compile(r"[0-9a-f]{32}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


class App:
    """The routes of one function and the way a request takes through them."""

    def __init__(
        self,
        name: str,
        *,
        title: str,
        prefixes: tuple[str, ...],
        settings: Callable[[], Settings],
        needs: tuple[str, ...] = (),
        gate: Callable[[], Gate] | None = None,
        examples: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        self.name, self.title, self.prefixes, self.needs = name, title, prefixes, needs
        self.table = RouteTable()
        self._settings, self._gate = settings, gate
        self.examples = examples or {}
        require(settings(), needs)  # a wrong configuration ends the process, not its first request
        self._add_document()
        self._take_over_error_pages()

    def route(
        self,
        method: str,
        path: str,
        *,
        guard: Guard | None,
        out: Any = None,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        status: int = 200,
        body_limit: int = JSON_BODY_BYTES,
        errors: tuple[type[TarsifyError], ...] = (),
        takes: tuple[Header, ...] = (),
        headers: tuple[str, ...] = (),
        links: tuple[Link, ...] = (),
        aliases: tuple[str, ...] = (),
        tier: Tier | None = None,
        unlimited: bool = False,
        repeatable: bool = False,
        media: str = "application/json",
        also: tuple[int, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Registers a handler; its docstring's first line is the operation's summary.

        A POST of someone signed in is remembered under its Idempotency-Key, unless the route takes
        the key itself.
        """
        gated = self._gate is not None and not unlimited
        remembers = (
            gated and method == "POST" and guard is not None and IDEMPOTENCY_KEY not in takes
        )
        if remembers:
            takes = (*takes, IDEMPOTENCY_KEY)
            errors = (*errors, IdempotencyKeyReused, RequestInFlight)
        if gated:
            tier = tier or ("public" if guard is None else "read" if method == "GET" else "write")
            errors = (*errors, TooManyRequests)

        def register(handler: Handler) -> Handler:
            summary = (handler.__doc__ or handler.__name__).strip().splitlines()[0]
            for index, each in enumerate((path, *aliases)):
                self.table.add(
                    Route(
                        method=method,
                        path=each,
                        handler=handler,
                        summary=summary,
                        out=out,
                        guard=guard,
                        body=body,
                        query=query,
                        status=status,
                        body_limit=body_limit,
                        errors=errors,
                        takes=takes,
                        headers=headers,
                        links=links,
                        hidden=index > 0,
                        tier=tier if gated else None,
                        remembers=remembers,
                        repeatable=repeatable,
                        media=media,
                        also=also,
                    )
                )
            return handler

        return register

    def include(self, routes: "Routes") -> None:
        """Adds the routes declared in another file of the same function."""
        for declare in routes.declarations:
            declare(self)

    def __call__(self, request: Request) -> Response:
        settings = self._settings()
        logs.configure(settings.log_level)
        request_id = _request_id(request)
        started = time.perf_counter()
        with logs.log_context(
            function=self.name, requestId=request_id, **_trace(request, settings.gcp_project)
        ):
            response = self._answer(request, request_id, settings)
            self._finish(request, response, request_id, settings)
            log.info(
                "request",
                method=request.method,
                status=response.status_code,
                durationMs=round((time.perf_counter() - started) * 1000, 1),
            )
        return response

    def _answer(self, request: Request, request_id: str, settings: Settings) -> Response:
        if cors.is_preflight(request):
            return cors.preflight(request, settings.cors_origins)
        call: Call[Any, Any, Any] = Call(request, request_id, {}, None, None, None)
        try:
            route, call.path = self.table.match(request.method, self._own_path(request.path))
            logs.add_to_log(route=route.path)  # the pattern: a path may carry a secret
            response = self._handle(route, call)
        except TarsifyError as error:
            if error.status >= 500:
                log.error("request failed", exception=error)
            response = render_error(error, request_id)
        except Exception as error:  # the last line of defence: nothing internal may leak
            log.error("unexpected error", exception=error)
            response = render_error(failure_of(error), request_id)
        if call.allowance is not None:
            response.headers.extend(call.allowance.headers)
        return response

    def _handle(self, route: Route, call: Call[Any, Any, Any]) -> Response:
        """Signed in first, then parsed: a stranger learns nothing about our schemas."""
        self._let_in(route, call)
        request = call.request
        for header in route.takes:
            parsing.check_header(header, request)
        if route.query is not None:
            call.query = parsing.parse_query(route.query, request)
        if route.body is not None:
            given = parsing.read_json(request, route.body_limit)
            call.body = parsing.parse_body(route.body, given)
        if route.remembers and call.owner is not None and call.idempotency_key is not None:
            return self._once(route, call, call.owner, call.idempotency_key)
        return render(route.handler(call), route.status)

    def _let_in(self, route: Route, call: Call[Any, Any, Any]) -> None:
        """Who calls, and whether not too often. Raises what the guard does, or TooManyRequests."""
        address = self._address(call.request)
        try:
            if route.guard is not None:
                call.principal = route.guard(call)
        except TarsifyError as error:
            if (
                route.tier is not None and error.status < 500
            ):  # whoever guesses is soon told no more
                self._admit("refused", call, call.owner or address)
                call.allowance = None
            raise
        if route.tier is not None:
            self._admit(route.tier, call, call.owner or address)

    def _admit(self, tier: Tier, call: Call[Any, Any, Any], caller: str) -> None:
        if self._gate is None:
            return
        call.allowance = self._gate().admit(tier, caller)
        if call.allowance is not None and not call.allowance.allowed:
            raise TooManyRequests(retryAfterSeconds=call.allowance.retry_after)

    def _once(self, route: Route, call: Call[Any, Any, Any], owner: str, key: str) -> Response:
        """Does it unless it was done under this key; then answers what was answered.

        What is refused has changed nothing and may be asked for again under the same key. A failure
        of ours leaves the key locked for a while, since something may have been done, unless the
        handler can be repeated.
        """
        assert self._gate is not None
        gate, body = self._gate(), call.body.model_dump(mode="json") if call.body else None
        mark = fingerprint(call.request.method, self._own_path(call.request.path), body)
        earlier = gate.begin(owner, key, mark)
        if earlier is not None:
            headers = {"Idempotency-Replayed": "true"}
            return Response(earlier.answer, earlier.status, headers, content_type=JSON)
        try:
            answer = route.handler(call)
        except Exception as error:
            if route.repeatable or (isinstance(error, TarsifyError) and error.status < 500):
                gate.abandon(owner, key)
            raise
        response = kept = render(answer, route.status)
        if isinstance(answer, Reply) and answer.kept is not None:
            kept = render(replace(answer, data=answer.kept), route.status)
        gate.finish(owner, key, kept.status_code, kept.get_data(as_text=True))
        return response

    def _address(self, request: Request) -> str:
        """The client's, as the platform's own proxies wrote it: what stands before is hearsay."""
        hops = self._settings().forwarded_hops
        told = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        return told[-1 - hops] if len(told) > hops else request.remote_addr or ""

    def _own_path(self, path: str) -> str:
        """The path without the front door's prefix: a function answers on both."""
        for prefix in self.prefixes:
            if path == prefix or path.startswith(prefix + "/"):
                return path[len(prefix) :] or "/"
        return path

    def _finish(
        self, request: Request, response: Response, request_id: str, settings: Settings
    ) -> None:
        # In one go: werkzeug searches all headers for each one that is set by itself.
        own = {name for name, _ in response.headers}
        added = [item for item in SECURITY_HEADERS.items() if item[0] not in own]
        response.headers.extend([*added, ("X-Request-ID", request_id)])
        if request.method != "OPTIONS":
            cors.allow(request, response, settings.cors_origins)

    def _take_over_error_pages(self) -> None:
        """functions-framework loads us inside its Flask application, whose own answers are HTML:
        404 for robots.txt, 400 for a broken request, and 500 with the text of the exception."""
        if flask.has_app_context():
            for kind in (HTTPException, 500):
                flask.current_app.register_error_handler(kind, self._framework_error)

    def _framework_error(self, error: Exception) -> Response:
        request, status = flask.request, getattr(error, "code", 500)
        refusal = {400: BadRequest, 404: RouteNotFound}.get(status, Unexpected)()
        request_id = _request_id(request)
        response = render_error(refusal, request_id)
        self._finish(request, response, request_id, self._settings())
        return response

    def _add_document(self) -> None:
        self.table.add(
            Route(
                method="GET",
                path="/openapi.json",
                handler=lambda _call: Raw(self._document),
                summary="This document",
                out=None,
                guard=None,
                hidden=True,
                tier="public" if self._gate is not None else None,
            )
        )

    @cached_property
    def _document(self) -> dict[str, Any]:
        """Made once: every schema of the function is in it."""
        return document(self)


class Routes:
    """Routes declared in one file, to be included by the function's App."""

    def __init__(self) -> None:
        self.declarations: list[Callable[[App], None]] = []

    def route(self, method: str, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Like App.route; takes effect when the App includes this object."""

        def register(handler: Handler) -> Handler:
            self.declarations.append(lambda app: _declare(app, method, path, handler, options))
            return handler

        return register


def _declare(app: App, method: str, path: str, handler: Any, options: dict[str, Any]) -> None:
    app.route(method, path, **options)(handler)


def _request_id(request: Request) -> str:
    """The caller's id if it is harmless, else a new one: it goes into logs and headers (W50)."""
    given = request.headers.get("X-Request-ID", "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def _trace(request: Request, project: str) -> dict[str, str]:
    trace = request.headers.get("X-Cloud-Trace-Context", "").split("/")[0]
    if not _TRACE.fullmatch(trace):
        return {}
    return {"logging.googleapis.com/trace": f"projects/{project}/traces/{trace}"}
