"""The access table's tokens that only look right, on the path that runs in production."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from common.db import Database
from common.gateways.identity import Audience
from common.runtime import Runtime, install
from common.settings import Settings
from infra.local.identity.google import RunningGoogle
from infra.local.identity.unsigned import encode
from tests.security.access import DOCUMENTED, PREFIX, REFUSED, TABLE, TOKENS, Answer
from tests.security.conftest import CertificateServer
from tests.security.test_internal_callers import CLEANUP, TASKS, claims_of
from tests.security.test_tokens import PROJECTS

AUDIENCES: dict[str, Audience] = {
    "marketplace": "users",
    "studio": "developers",
    "admin": "developers",
    "callback": "users",
    "payments": "users",
}
INVOKED = {"tasks": TASKS, "cleanup": CLEANUP}
Tokens = dict[str, str]


@pytest.fixture
def call(
    google: RunningGoogle,
    certificates: CertificateServer,
    db: Database,
    settings: Settings,
    apps: Any,
) -> Callable[[str, str, str], TestResponse]:
    """Calls a row of a function's table with a token; identities and invokers are the real ones."""
    told = {
        "tasks_target_url": TASKS,
        "cleanup_target_url": CLEANUP,
        "invoker_certs_url": certificates.url,
        "stripe_secret_key": "sk_test_nobody_is_asked",
        "stripe_api_url": "http://127.0.0.1:9",
        "stripe_webhook_secrets": ("whsec_own",),
        "stripe_connect_webhook_secrets": ("whsec_connect",),
    }
    runtime = Runtime(settings.model_copy(update=told))
    runtime.db = db
    install(runtime)

    def send(function: str, row: str, token: str) -> TestResponse:
        method, path = row.split()
        response: TestResponse = (
            apps(function)
            .test_client()
            .open(
                filled(function, path),
                method=method,
                json={} if method in {"POST", "PUT", "PATCH"} else None,
                headers={"Authorization": f"Bearer {token}"},
            )
        )
        return response

    return send


@pytest.mark.parametrize("function", sorted(TABLE))
def test_an_expired_or_unsigned_token_opens_no_route(
    google: RunningGoogle,
    certificates: CertificateServer,
    call: Callable[[str, str, str], TestResponse],
    function: str,
) -> None:
    tokens, wrong = tokens_for(function, google, certificates), []
    for row, kind in TABLE[function].items():
        for token in TOKENS:
            response = call(function, row, tokens[token])
            status = str(response.status_code)
            assert status in DOCUMENTED[function].get(row, {status}), (row, token)
            if not answers(response, REFUSED[kind].get(token)):
                wrong.append((row, token, response.text))
    assert wrong == []


@pytest.mark.parametrize("function", sorted(set(TABLE) - {"callback", "payments"}))
def test_the_same_token_signed_and_in_time_is_let_in_everywhere(
    google: RunningGoogle,
    certificates: CertificateServer,
    call: Callable[[str, str, str], TestResponse],
    function: str,
) -> None:
    good = tokens_for(function, google, certificates)["good"]
    for row in TABLE[function]:
        response = call(function, row, good)
        assert response.status_code not in {401, 403}, (row, response.text)
        failed = response.status_code >= 500
        assert not failed or "PAYMENTS_UNAVAILABLE" in response.text, (row, response.text)


def tokens_for(function: str, google: RunningGoogle, certificates: CertificateServer) -> Tokens:
    """Of the one who may call the function: a good token and those that only look like it."""
    if function in INVOKED:
        claims, key = claims_of(INVOKED[function]), certificates.key
        return {
            "good": key.sign(claims),
            "expired": key.sign(claims | {"iat": 1000, "exp": 2000}),
            "unsigned": encode(claims),
        }
    mint = google.mint(PROJECTS[AUDIENCES[function]])
    return {"good": mint.admin("uid-1"), "expired": mint.expired(), "unsigned": mint.unsigned()}


def answers(response: TestResponse, expected: Answer | None) -> bool:
    """Whether a caller was turned away in these words, or let in where none are expected."""
    if expected is None:
        return response.status_code not in {401, 403}
    return (response.status_code, response.get_json()["error"]["code"]) == expected


def filled(function: str, path: str) -> str:
    """The path of things that do not exist, since nobody gets as far as to look for them."""
    path = re.sub(r"<\w+>", str(uuid.uuid4()), path)
    return path if function in INVOKED else PREFIX[function] + path
