"""What may be in a body, and what is never read."""

import io
import json
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from tests.http.sample import LIMIT

SIGNED_IN = {"Authorization": "Bearer someone"}


def send(sample: Client, body: bytes | None, kind: str | None = "application/json") -> TestResponse:
    headers = SIGNED_IN | ({"Content-Type": kind} if kind else {})
    return sample.post("/echo", data=body, headers=headers)


def refusal(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.get_json()["error"]["code"]


class Unreadable(io.RawIOBase):
    """A body that must not be touched."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise AssertionError("the body was read")


def announced(
    sample: Client, body: io.IOBase, length: int, headers: dict[str, str]
) -> TestResponse:
    """Sends a body with a Content-Length that need not be true."""
    stream = {"wsgi.input": body, "CONTENT_LENGTH": str(length)}
    return sample.post(
        "/echo", headers=headers, content_type="application/json", environ_overrides=stream
    )


@pytest.mark.parametrize("body", [b"", b"  \n", None])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", None])
def test_k5_w03_an_empty_body_is_an_empty_object(
    sample: Client, body: bytes | None, kind: str | None
) -> None:
    assert send(sample, body, kind).get_json()["data"] == {
        "text": "",
        "amount": 0.0,
        "anything": None,
    }


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("body", [None, b"not json at all"])
def test_w03_a_route_without_a_body_does_not_mind_one(
    sample: Client, method: str, body: bytes | None
) -> None:
    response = sample.open("/things/x", method=method, data=body, content_type="application/json")
    assert response.status_code == {"GET": 200, "DELETE": 204}[method]


MALFORMED = {
    "not json": b"{",
    "words after it": b"{} x",
    "single quotes": b"{'text': 'x'}",
    "trailing comma": b'{"text":"x",}',
    "a comment": b'{"text":"x" /* why */}',
    "a list": b"[]",
    "a text": b'"text"',
    "null": b"null",
    "NaN": b'{"amount":NaN}',
    "Infinity": b'{"amount":Infinity}',
    "minus Infinity": b'{"anything":[-Infinity]}',
    "a number beyond all": b'{"amount":1e999}',
    "a negative number beyond all": b'{"anything":{"deep":-1e999}}',
    "an integer beyond all": b'{"amount":1' + b"0" * 400 + b"}",
    "an integer of 900 digits": b'{"anything":[' + b"9" * 900 + b"]}",
    "NUL": b'{"text":"a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000b":1}',
    "NUL as it is": b'{"text":"a\x00b"}',
    "half a surrogate pair": b'{"text":"\\ud800"}',
    "half a pair, deep": b'{"anything":[{"x":["\\udfff"]}]}',
    "half a pair as bytes": b'{"text":"\xed\xa0\x80"}',
    "bytes that are no text": b'{"text":"\xff\xfe"}',
    "one name twice": b'{"text":"a","text":"b"}',
    "one name twice, deep": b'{"anything":{"x":[{"y":1,"y":1}]}}',
    "nested too deeply": b'{"anything":' + b"[" * 66 + b"]" * 66 + b"}",
    "nested absurdly": b'{"anything":' + b"[" * 450 + b"]" * 450 + b"}",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_w05_a_body_that_cannot_be_kept_is_malformed(sample: Client, kind: str) -> None:
    response = send(sample, MALFORMED[kind])
    assert refusal(response) == (400, "MALFORMED_BODY")


def test_nesting_beyond_any_parser_is_malformed() -> None:
    from tests.http.sample import client_of, make_sample

    body = b'{"job_id":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    response = client_of(make_sample()).post("/hint", data=body, content_type="application/json")
    assert refusal(response) == (400, "MALFORMED_BODY")


KEPT: dict[str, Any] = {
    "any script": "zażółć 漢字 🦊",
    "a pair of surrogates": "\U0001f600",
    "separators": "\u2028\u2029\x7f",
    "a large integer": 10**300,
    "a small number": 5e-324,
    "minus zero": -0.0,
    "nesting": json.loads("[" * 60 + "]" * 60),
    "names that mean something elsewhere": {"__proto__": 1, "constructor": None, "": ""},
}


@pytest.mark.parametrize("kind", KEPT)
def test_everything_else_comes_back_as_it_was(sample: Client, kind: str) -> None:
    response = send(sample, json.dumps({"anything": KEPT[kind]}).encode())
    assert response.get_json()["data"]["anything"] == KEPT[kind]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_json_in_another_unicode_encoding_is_read(sample: Client, encoding: str) -> None:
    response = send(sample, '{"text":"é"}'.encode(encoding))
    assert response.get_json()["data"]["text"] == "é"


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "rubbish", None],
)
def test_w05_another_media_type_is_a_415(sample: Client, kind: str | None) -> None:
    assert refusal(send(sample, b"{}", kind)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("kind", ["APPLICATION/JSON", "application/problem+json"])
def test_json_by_another_name_is_read(sample: Client, kind: str) -> None:
    assert send(sample, b"{}", kind).status_code == 200


@pytest.mark.parametrize("size", [LIMIT + 1, 10**9])
def test_w05_a_large_body_is_refused_unread(sample: Client, size: int) -> None:
    response = announced(sample, io.BufferedReader(Unreadable()), size, SIGNED_IN)
    assert refusal(response) == (413, "BODY_TOO_LARGE")
    assert response.get_json()["error"]["details"] == {"limitBytes": LIMIT}


def test_a_large_body_without_a_length_is_left_at_the_limit(sample: Client) -> None:
    body = io.BytesIO(b" " * 10_000_000)
    response = sample.post(
        "/echo",
        input_stream=body,
        environ_overrides={"wsgi.input_terminated": True},
        headers=SIGNED_IN,
    )
    assert refusal(response) == (413, "BODY_TOO_LARGE")
    assert body.tell() < 200_000


def test_a_body_of_exactly_the_limit_is_read(sample: Client) -> None:
    body = json.dumps({"text": "x" * (LIMIT - len('{"text": ""}'))}).encode()
    assert len(body) == LIMIT
    assert send(sample, body).status_code == 200
    assert refusal(send(sample, body + b" ")) == (413, "BODY_TOO_LARGE")


def test_a_chunked_body_is_read(sample: Client) -> None:
    response = sample.post(
        "/echo",
        input_stream=io.BytesIO(b'{"text":"chunked"}'),
        environ_overrides={"wsgi.input_terminated": True},
        headers=SIGNED_IN | {"Content-Type": "application/json"},
    )
    assert response.get_json()["data"]["text"] == "chunked"


def test_a_body_shorter_than_announced_is_malformed(sample: Client) -> None:
    response = announced(sample, io.BytesIO(b'{"text":"cut"}'), 500, SIGNED_IN)
    assert refusal(response) == (400, "MALFORMED_BODY")


def test_w48_who_is_not_let_in_has_no_body_read(sample: Client) -> None:
    for headers, status in (({}, 401), ({"Authorization": "Bearer banned"}, 403)):
        response = announced(sample, io.BufferedReader(Unreadable()), 10, headers)
        assert response.status_code == status


def test_an_unknown_field_is_refused_by_name(sample: Client) -> None:
    error = send(sample, b'{"colour":"red"}').get_json()["error"]
    assert error["message"].startswith("colour: ")
    assert [each["field"] for each in error["details"]["errors"]] == ["colour"]


def test_an_answer_does_not_outgrow_its_request() -> None:
    from tests.http.sample import client_of, make_sample

    fields = json.dumps({f"wrong{number}": 1 for number in range(60)}).encode()
    error = send(client_of(make_sample()), fields).get_json()["error"]
    assert len(error["details"]["errors"]) == 50
    assert error["message"].endswith("(and 59 more)")
    long = send(client_of(make_sample()), json.dumps({"x" * 900: 1}).encode())
    assert len(long.data) < 900


def test_of_a_vendors_body_only_the_known_fields_are_looked_at(sample: Client) -> None:
    odd = b'{"jobId":"j1","output":{"text":"\\u0000","n":1e999,"x":' + b"[" * 90 + b"]" * 90 + b"}}"
    response = sample.post("/hint", data=odd, content_type="application/json")
    assert response.get_json()["data"] == {"jobId": "j1"}
    wrong = sample.post("/hint", data=b'{"jobId":"\\u0000"}', content_type="application/json")
    assert refusal(wrong) == (400, "MALFORMED_BODY")
