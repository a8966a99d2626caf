"""Browsers: which pages may call us, and how they ask first (contract 2.5, K15)."""

import pytest
from werkzeug.test import Client, TestResponse

from common.settings import Settings, read
from tests.http.sample import client_of, make_sample

HOSTED = "https://studio--example.us-central1.hosted.app"
KNOWN = [
    "https://studio.tarsify.com",
    "https://tarsify.com",
    "http://localhost:3000",
    "http://localhost:3001",
]
FOREIGN = [
    "https://evil.example",
    "https://studio.tarsify.com.evil.example",
    "https://eviltarsify.com",
    "http://studio.tarsify.com",
    "https://studio.tarsify.com:8443",
    "https://STUDIO.tarsify.com",
    "https://studio.tarsify.com/",
    "http://localhost:3002",
    "null",
    "*",
    "",
]


def preflight(client: Client, origin: str, path: str = "/things/x") -> TestResponse:
    """What the browser asks before the studio's GET: its JSON content type makes it ask."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return client.options(path, headers=headers)


@pytest.mark.parametrize("origin", KNOWN)
def test_k15_a_known_page_may_ask_and_may_read(sample: Client, origin: str) -> None:
    asked = preflight(sample, origin)
    assert (asked.status_code, asked.data) == (204, b"")
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert asked.headers["Access-Control-Allow-Credentials"] == "true"
    assert int(asked.headers["Access-Control-Max-Age"]) >= 600
    answered = sample.get("/things/x", headers={"Origin": origin})
    assert answered.headers["Access-Control-Allow-Origin"] == origin
    assert answered.headers["Vary"] == "Origin"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_k15_every_method_is_allowed(sample: Client, method: str) -> None:
    allowed = preflight(sample, KNOWN[0]).headers["Access-Control-Allow-Methods"]
    assert method in allowed.split(", ")


@pytest.mark.parametrize(
    "header", ["content-type", "authorization", "x-request-id", "idempotency-key", "prefer"]
)
def test_k15_every_header_that_clients_send_is_allowed(sample: Client, header: str) -> None:
    allowed = preflight(sample, KNOWN[0]).headers["Access-Control-Allow-Headers"]
    assert header in allowed.lower().split(", ")


@pytest.mark.parametrize(
    "header",
    [
        "x-request-id",
        "retry-after",
        "location",
        "ratelimit",
        "ratelimit-policy",
        "idempotency-replayed",
    ],
)
def test_k15_pages_may_read_the_headers_that_matter(sample: Client, header: str) -> None:
    answered = sample.get("/things/x", headers={"Origin": KNOWN[0]})
    assert header in answered.headers["Access-Control-Expose-Headers"].lower().split(", ")


@pytest.mark.parametrize("origin", FOREIGN)
def test_k15_a_foreign_page_gets_no_leave(sample: Client, origin: str) -> None:
    for response in (
        preflight(sample, origin),
        sample.get("/things/x", headers={"Origin": origin}),
    ):
        assert response.status_code in {200, 204}
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PUT", "/things/x", 405),
        ("POST", "/echo", 401),
        ("GET", "/secrets/x", 500),
    ],
)
def test_k15_a_page_may_read_why_it_was_refused(
    sample: Client, method: str, path: str, status: int
) -> None:
    response = sample.open(path, method=method, headers={"Origin": KNOWN[0]})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == KNOWN[0]


def test_a_preflight_needs_no_token_and_asks_no_route(sample: Client) -> None:
    assert preflight(sample, KNOWN[0], "/echo").status_code == 204
    assert preflight(sample, KNOWN[0], "/nothing").status_code == 204


@pytest.mark.parametrize("separator", ["|", ",", " | ", ", "])
def test_k15_w49_the_studios_hosted_origin_is_configuration(separator: str) -> None:
    settings = read({"CORS_ORIGINS": separator.join([KNOWN[0], HOSTED])})
    client = client_of(make_sample(cors_origins=settings.cors_origins))
    assert preflight(client, HOSTED).headers["Access-Control-Allow-Origin"] == HOSTED
    assert "Access-Control-Allow-Origin" not in preflight(client, KNOWN[1]).headers


def test_k15_without_configuration_the_contracts_origins_may_call() -> None:
    assert list(Settings().cors_origins) == KNOWN
