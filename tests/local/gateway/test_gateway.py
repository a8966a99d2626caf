"""The gateway before a real HTTP server: what arrives, what comes back, what when it is down."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import requests
from aiohttp import web

from infra.local.gateway import LARGEST_BODY, running_gateway
from infra.local.ports import free_port
from infra.local.threaded import in_thread

MEGABYTE = 1024 * 1024
GO_ON = web.AppKey("go on", asyncio.Event)


async def echo(request: web.Request) -> web.StreamResponse:
    """Says what arrived."""
    body = await request.read()
    said = {
        "method": request.method,
        "target": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "bytes": len(body),
    }
    answer = web.json_response(said, status=207)
    answer.headers.add("Set-Cookie", "a=1")
    answer.headers.add("Set-Cookie", "b=2")
    return answer


async def drip(request: web.Request) -> web.StreamResponse:
    """A body in two pieces, the second only after the first was acknowledged elsewhere."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first")
    await request.app[GO_ON].wait()
    await response.write(b"second")
    return response


async def go_on(request: web.Request) -> web.Response:
    request.app[GO_ON].set()
    return web.Response()


async def large(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * (3 * MEGABYTE))


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["status"]))


async def broken(request: web.Request) -> web.StreamResponse:
    """Dies in the middle of its answer."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first")
    assert request.transport is not None
    request.transport.abort()
    return response


async def moved(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://elsewhere.example/"})


@asynccontextmanager
async def function() -> AsyncIterator[str]:
    app = web.Application(client_max_size=64 * MEGABYTE)
    app[GO_ON] = asyncio.Event()
    app.router.add_get("/api/marketplace/drip", drip)
    app.router.add_get("/api/marketplace/go-on", go_on)
    app.router.add_get("/api/marketplace/large", large)
    app.router.add_get("/api/marketplace/moved", moved)
    app.router.add_get("/api/marketplace/broken", broken)
    app.router.add_get("/api/marketplace/status/{status}", status)
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pages")
    (root / "index.html").write_text("<h1>market</h1>")
    (root / "studio").mkdir()
    (root / "studio" / "index.html").write_text("<h1>studio</h1>")
    (root.parent / "secret.txt").write_text("secret")
    return root


@pytest.fixture(scope="module")
def origin(pages: Path) -> Iterator[str]:
    with in_thread(function) as (url, _):
        functions = {"marketplace": url, "studio": f"http://127.0.0.1:{free_port()}"}
        with running_gateway(functions, pages=pages) as origin:
            yield origin


def test_a_request_arrives_as_it_was_sent(origin: str) -> None:
    target = "/api/marketplace/models/a%2Fb%20c?q=x%26y&q=%C3%BC&empty="
    answer = requests.patch(
        origin + target, data=b"body", headers={"Authorization": "Bearer t"}, timeout=5
    )
    said = answer.json()
    assert answer.status_code == 207
    assert (said["method"], said["target"], said["bytes"]) == ("PATCH", target, 4)
    assert said["headers"]["authorization"] == "Bearer t"
    assert said["headers"]["host"] == origin.removeprefix("http://")


def test_repeated_headers_of_an_answer_stay_apart(origin: str) -> None:
    connection = http.client.HTTPConnection(origin.removeprefix("http://"), timeout=5)
    connection.request("GET", "/api/marketplace")
    assert connection.getresponse().headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    connection.close()


def test_the_function_learns_who_asked_and_how(origin: str) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}
    sent = requests.get(f"{origin}/api/marketplace", headers=headers, timeout=5).json()["headers"]
    assert sent["x-forwarded-for"] == "203.0.113.9, 127.0.0.1, 127.0.0.1"
    assert sent["x-forwarded-proto"] == "http"
    assert sent["x-forwarded-host"] == origin.removeprefix("http://")


def test_every_request_has_a_trace_and_a_good_one_is_kept(origin: str) -> None:
    def trace(given: str) -> str:
        headers = {"X-Cloud-Trace-Context": given}
        answer = requests.get(f"{origin}/api/marketplace", headers=headers, timeout=5)
        return str(answer.json()["headers"]["x-cloud-trace-context"])

    good = "0af7651916cd43dd8448eb211c80319c/1;o=1"
    assert trace(good) == good
    assert trace("rubbish") != trace("rubbish")
    assert len(trace("rubbish").partition("/")[0]) == 32


def test_a_redirect_is_the_clients_to_follow(origin: str) -> None:
    answer = requests.get(f"{origin}/api/marketplace/moved", allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://elsewhere.example/")


def test_an_answer_is_passed_on_while_it_is_still_being_made(origin: str) -> None:
    with requests.get(f"{origin}/api/marketplace/drip", stream=True, timeout=5) as answer:
        pieces = answer.iter_content(5)
        assert next(pieces) == b"first"
        requests.get(f"{origin}/api/marketplace/go-on", timeout=5)
        assert b"".join(pieces) == b"second"


def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(origin: str) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = requests.get(f"{origin}/api/marketplace/broken", timeout=5).content


def test_large_bodies_pass_both_ways(origin: str) -> None:
    assert len(requests.get(f"{origin}/api/marketplace/large", timeout=5).content) == 3 * MEGABYTE
    sent = requests.post(f"{origin}/api/marketplace", data=b"x" * (5 * MEGABYTE), timeout=10)
    assert sent.json()["bytes"] == 5 * MEGABYTE


def test_a_body_beyond_the_limit_is_refused_before_it_is_sent(origin: str) -> None:
    connection = http.client.HTTPConnection(origin.removeprefix("http://"), timeout=5)
    connection.putrequest("POST", "/api/marketplace")
    connection.putheader("Content-Length", str(LARGEST_BODY + 1))
    connection.endheaders()
    answer = connection.getresponse()
    error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"], error["retryable"]) == (413, "BODY_TOO_LARGE", False)
    connection.close()


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(origin: str) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // MEGABYTE + 1):
            yield b"x" * MEGABYTE

    try:
        answer = requests.post(f"{origin}/api/marketplace", data=endless(), timeout=10)
    except requests.ConnectionError:
        return  # cut off while still sending: refused all the same
    assert answer.status_code == 413


def test_answers_without_a_body_stay_without_one(origin: str) -> None:
    head = requests.head(f"{origin}/api/marketplace/large", timeout=5)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(3 * MEGABYTE)
    assert requests.head(f"{origin}/api/marketplace", timeout=5).status_code == 207
    for status in (204, 304):
        answer = requests.get(f"{origin}/api/marketplace/status/{status}", timeout=5)
        assert (answer.status_code, answer.content) == (status, b"")


def test_a_function_that_is_down_gives_the_envelope_and_can_be_tried_again(origin: str) -> None:
    answer = requests.get(f"{origin}/api/studio/auth/me", timeout=5)
    assert answer.status_code == 503
    body = answer.json()
    assert body["success"] is False
    assert body["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert body["error"]["retryable"] is True
    assert body["error"]["requestId"]


def test_a_function_that_does_not_run_here_is_unavailable_too(origin: str) -> None:
    assert requests.get(f"{origin}/api/admin/endpoints", timeout=5).status_code == 503


def test_an_unknown_path_is_not_found_in_the_envelope(origin: str) -> None:
    for path in ("/api/nothing?x=1", "/tasks/poll", "/cleanup", "/missing.js"):
        answer = requests.get(origin + path, timeout=5)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (404, "ROUTE_NOT_FOUND")
        assert error["message"] == f"Route GET {path} not found"


def test_web_pages_are_served_beside_the_api(origin: str) -> None:
    assert requests.get(f"{origin}/", timeout=5).text == "<h1>market</h1>"
    assert requests.get(f"{origin}/studio", timeout=5).text == "<h1>studio</h1>"
    assert requests.post(f"{origin}/", timeout=5).status_code == 404


def test_no_file_outside_the_pages_is_served(origin: str) -> None:
    for path in (
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/studio/../../secret.txt",
    ):
        connection = http.client.HTTPConnection(origin.removeprefix("http://"), timeout=5)
        connection.request("GET", path)
        assert connection.getresponse().status == 404
        connection.close()


def test_an_internal_function_cannot_be_put_behind_the_gateway() -> None:
    with pytest.raises(ValueError, match="internal"), running_gateway({"tasks": "http://x"}):
        pass
