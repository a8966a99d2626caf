"""Which route answers which request."""

import pytest
from werkzeug.test import Client


@pytest.mark.parametrize(
    "path", ["/moments", "/moments/", "/api/sample/moments", "/api/older/times/"]
)
def test_a_route_answers_with_and_without_slash_prefix_and_under_each_alias(
    sample: Client, path: str
) -> None:
    assert sample.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/api/sample",
        "/api/sampler/moments",
        "/moments/1",
        "/api/sample/api/sample/moments",
    ],
)
def test_an_unknown_path_is_a_404_that_does_not_repeat_it(sample: Client, path: str) -> None:
    response = sample.get(f"{path}?secret=1")
    assert response.status_code == 404
    error = response.get_json()["error"]
    assert (error["code"], error["message"]) == ("ROUTE_NOT_FOUND", "There is no such route.")
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/moments", "GET, HEAD, OPTIONS"),
        ("GET", "/echo", "OPTIONS, POST"),
        ("PATCH", "/things/x", "DELETE, GET, HEAD, OPTIONS"),
        ("TRACE", "/echo", "OPTIONS, POST"),
        ("BREW", "/echo", "OPTIONS, POST"),
    ],
)
def test_another_method_is_a_405_that_names_the_allowed_ones(
    sample: Client, method: str, path: str, allowed: str
) -> None:
    response = sample.open(path, method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == allowed
    assert response.get_json()["error"]["code"] == "METHOD_NOT_ALLOWED"


def test_head_answers_what_get_would_without_the_body(sample: Client) -> None:
    shown, headed = sample.get("/moments"), sample.head("/moments")
    assert headed.status_code == shown.status_code == 200
    assert headed.data == b""
    assert headed.headers["Content-Length"] == str(len(shown.data))


@pytest.mark.parametrize(
    ("path", "name"),
    [("/things/caf%C3%A9", "café"), ("/things/a%20b", "a b"), ("/things/%ff", "\ufffd")],
)
def test_a_name_in_a_path_is_decoded(sample: Client, path: str, name: str) -> None:
    assert sample.get(path).get_json()["data"]["name"] == name


def test_a_slash_in_a_name_is_another_path(sample: Client) -> None:
    assert sample.get("/things/a%2Fb").status_code == 404


@pytest.mark.parametrize(
    ("query", "meta"),
    [
        ("", (1, 20)),
        ("?page=2&limit=10", (2, 10)),
        ("?limit=5&limit=7", (1, 7)),
        ("?page=%202", (2, 20)),
    ],
)
def test_a_query_is_read_and_the_last_of_equal_names_counts(
    sample: Client, query: str, meta: tuple[int, int]
) -> None:
    found = sample.get(f"/moments{query}").get_json()["meta"]
    assert (found["page"], found["limit"]) == meta


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=1.5", "page"),
        ("page=x", "page"),
        ("page=" + "9" * 5000, "page"),
        ("limit=101", "limit"),
        ("limit=", "limit"),
        ("colour=red", "colour"),
        ("page=%00", "page"),
        ("%00=1", "\x00"),
    ],
)
def test_a_wrong_query_is_refused_by_name(sample: Client, query: str, field: str) -> None:
    response = sample.get(f"/moments?{query}")
    assert response.status_code == 400
    error = response.get_json()["error"]
    assert error["code"] == "INVALID_REQUEST"
    assert [each["field"] for each in error["details"]["errors"]] == [field]


def test_a_header_that_no_database_could_keep_is_refused(sample: Client) -> None:
    shown = sample.get("/things/x", environ_overrides={"HTTP_IDEMPOTENCY_KEY": "a\x00b"})
    assert shown.status_code == 400
    assert "Idempotency-Key" in shown.get_json()["error"]["message"]
