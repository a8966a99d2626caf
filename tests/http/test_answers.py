"""What every answer looks like: envelope, meta, moments, headers, request ids."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from common.http.paging import Page, Paging
from common.http.wire import iso_milliseconds
from tests.http.sample import client_of, make_sample

SECURITY = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
ANY_ANSWER = [
    ("GET", "/moments", 200),
    ("DELETE", "/things/x", 204),
    ("OPTIONS", "/things/x", 204),
    ("GET", "/moments?page=0", 400),
    ("POST", "/echo", 401),
    ("GET", "/nothing", 404),
    ("PUT", "/moments", 405),
    ("GET", "/secrets/x", 500),
    ("GET", "/openapi.json", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), ANY_ANSWER)
def test_every_answer_carries_the_security_headers(
    sample: Client, method: str, path: str, status: int
) -> None:
    response = sample.open(path, method=method)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in SECURITY} == SECURITY
    assert "Server" not in response.headers
    assert "X-Powered-By" not in response.headers
    if status != 204:
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(("method", "path", "status"), ANY_ANSWER)
def test_every_answer_carries_the_callers_request_id(
    sample: Client, method: str, path: str, status: int
) -> None:
    response = sample.open(path, method=method, headers={"X-Request-ID": "call-0042"})
    assert response.headers.getlist("X-Request-ID") == ["call-0042"]
    if status >= 400:
        assert response.get_json()["error"]["requestId"] == "call-0042"


@pytest.mark.parametrize(
    "given_id",
    [
        None,
        "",
        "short",
        "x" * 129,
        "two words",
        "new\u00e9-id-here",
        "<script>alert(1)</script>",
        "a/b/c/d/e/f",
    ],
)
def test_w50_an_id_that_could_do_harm_is_replaced(sample: Client, given_id: str | None) -> None:
    headers = {} if given_id is None else {"X-Request-ID": given_id}
    answered = sample.get("/moments", headers=headers).headers["X-Request-ID"]
    assert uuid.UUID(answered).version == 4


def test_two_requests_without_an_id_get_different_ones(sample: Client) -> None:
    ids = {sample.get("/moments").headers["X-Request-ID"] for _ in range(20)}
    assert len(ids) == 20


def test_w02_a_list_is_data_and_meta(sample: Client) -> None:
    body = sample.get("/moments?limit=10").get_json()
    assert body == {
        "success": True,
        "data": [{"seenAt": "2026-01-02T03:04:05.678Z"}],
        "meta": {"page": 1, "limit": 10, "total": 21, "totalPages": 3, "pages": 3},
    }


def test_nothing_but_data_stands_in_an_answer_without_meta(sample: Client) -> None:
    assert sample.get("/things/x").get_json() == {
        "success": True,
        "data": {"name": "x", "key": None},
    }


def test_a_204_has_no_body_at_all(sample: Client) -> None:
    response = sample.delete("/things/x")
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers.get("Content-Length", "0") == "0"


def test_an_error_says_what_a_client_can_use(sample: Client) -> None:
    body = sample.get("/moments?page=0").get_json()
    assert set(body) == {"success", "error"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "requestId", "retryable", "details"}
    assert set(body["error"]["details"]["errors"][0]) == {"field", "message"}
    bare = sample.get("/nothing").get_json()["error"]
    assert set(bare) == {"code", "message", "requestId", "retryable"}


def test_a_401_says_how_to_sign_in(sample: Client) -> None:
    assert sample.post("/echo").headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("total", "limit", "pages"), [(0, 20, 0), (1, 20, 1), (20, 20, 1), (21, 20, 2), (100, 1, 100)]
)
def test_pages_are_counted(total: int, limit: int, pages: int) -> None:
    meta = Page([], total, Paging(limit=limit)).meta
    assert (meta["totalPages"], meta["pages"], meta["total"]) == (pages, pages, total)


@given(
    st.datetimes(
        timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)
    )
)
def test_k10_any_moment_has_milliseconds_and_z(moment: datetime) -> None:
    shown = iso_milliseconds(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown)
    read = datetime.fromisoformat(shown.replace("Z", "+00:00"))
    assert timedelta() <= moment - read < timedelta(milliseconds=1)


def test_k10_a_moment_elsewhere_is_shown_in_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert iso_milliseconds(datetime(2026, 1, 2, 9, 0, 0, 999_999, tokyo)) == (
        "2026-01-02T00:00:00.999Z"
    )


def test_w01_free_objects_keep_their_content(sample: Client) -> None:
    content: Any = {"a": {"b": [1, {"c": None}]}, "ключ": "значение"}
    response = sample.post(
        "/echo",
        data=json.dumps({"anything": content}),
        headers={"Authorization": "Bearer x", "Content-Type": "application/json"},
    )
    assert response.get_json()["data"]["anything"] == content


def test_an_unexpected_failure_says_nothing_about_itself(sample: Client) -> None:
    response = sample.get("/secrets/hunter2")
    assert response.status_code == 500
    assert response.get_json()["error"]["code"] == "UNEXPECTED"
    for leak in ("hunter2", "RuntimeError", "Traceback", "vendor", ".py"):
        assert leak not in response.text


def test_an_answer_that_cannot_be_written_is_a_failure_too() -> None:
    app = make_sample()

    @app.route("GET", "/odd", guard=None)
    def odd(_call: Any) -> Any:
        """Answers what JSON cannot hold."""
        return {"odd": object()}

    response = client_of(app).get("/odd")
    assert (response.status_code, response.get_json()["error"]["code"]) == (500, "UNEXPECTED")
