"""Internal functions: the one service account, by Google's OIDC tokens, and nobody else."""

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from werkzeug.test import TestResponse

from common.db import Database
from common.errors import IdentityUnavailable, InvalidToken
from common.gateways.invoker import REMOVED, Invokers
from common.runtime import Runtime, install
from common.runtime import runtime as common_runtime
from common.settings import Settings
from infra.local.identity.unsigned import encode
from infra.local.signing import SigningKey
from tests.security.conftest import CertificateServer

EMAIL = "task-invoker@tarsify-local.iam.gserviceaccount.com"
TASKS, CLEANUP = "https://tasks.example", "https://cleanup.example"
ROUTES = {
    "tasks": (TASKS, ["/submit", "/poll", "/timeout"]),
    "cleanup": (CLEANUP, ["/sweep", "/cancels", "/audit", "/endpoints"]),
}
Knock = Callable[..., TestResponse]


def claims_of(audience: str, **changes: Any) -> dict[str, Any]:
    """What Google says of the account that calls; None removes a claim."""
    now = int(time.time())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": audience,
        "azp": "1234567890",
        "sub": "1234567890",
        "email": EMAIL,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def unsigned_part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def removed(key: SigningKey, claims: Any) -> str:
    """A token as Cloud Run forwards it: header and claims whole, the signature replaced."""
    header = unsigned_part({"alg": "RS256", "kid": key.key_id, "typ": "JWT"})
    return f"{header}.{unsigned_part(claims)}.{REMOVED}"


WRONG: dict[str, dict[str, Any]] = {
    "another account": {"email": "someone@tarsify-local.iam.gserviceaccount.com"},
    "an account without an address": {"email": None},
    "an address that nobody checked": {"email_verified": False},
    "an address checked in words": {"email_verified": "true"},
    "another audience": {"aud": "https://elsewhere.example"},
    "no audience": {"aud": None},
    "expired": {"iat": 1000, "exp": 2000},
    "without an end": {"exp": None},
    "from the future": {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200},
    "another issuer": {"iss": "https://evil.example"},
    "an ID token of our users": {"iss": "https://securetoken.google.com/tarsify-users"},
}
FORGED: dict[str, Callable[[SigningKey, str], str]] = {
    "unsigned": lambda _key, aud: encode(claims_of(aud)),
    "by another key": lambda key, aud: SigningKey().sign(claims_of(aud), {"kid": key.key_id}),
    "by an unknown key": lambda _key, aud: SigningKey().sign(claims_of(aud)),
    "with its signature removed": lambda key, aud: removed(key, claims_of(aud)),
    "with another's claims": lambda key, aud: ".".join(
        [
            key.sign(claims_of(aud)).split(".")[0],
            unsigned_part(claims_of(aud, iat=1)),
            key.sign(claims_of(aud)).split(".")[2],
        ]
    ),
    "a list for a header": lambda _key, aud: (
        f"{unsigned_part([])}.{unsigned_part(claims_of(aud))}.x"
    ),
    "a list for claims": lambda key, aud: f"{key.sign(claims_of(aud)).split('.')[0]}.W10.x",
    "rubbish": lambda _key, _aud: "rubbish",
    "ten kilobytes": lambda _key, _aud: "a" * 10_000,
    "NUL": lambda _key, _aud: "a.\x00.b",
}


@pytest.fixture
def invokers(certificates: CertificateServer) -> Invokers:
    return Invokers(Settings(invoker_certs_url=certificates.url))


@pytest.fixture
def knock(certificates: CertificateServer, db: Database, settings: Settings, apps: Any) -> Knock:
    """Calls an internal route with a token."""

    def send(
        function: str, path: str, token: str | None, more: Mapping[str, str] | None = None
    ) -> TestResponse:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"} | dict(more or {})
        body = {"executionId": str(uuid.uuid4())} if function == "tasks" else None
        response: TestResponse = apps(function).test_client().post(path, json=body, headers=headers)
        return response

    told = {
        "tasks_target_url": TASKS,
        "cleanup_target_url": CLEANUP,
        "invoker_certs_url": certificates.url,
    }
    runtime = Runtime(settings.model_copy(update=told))
    runtime.db = db
    install(runtime)
    return send


def test_the_queues_account_is_let_in(invokers: Invokers, certificates: CertificateServer) -> None:
    invokers.verify(certificates.key.sign(claims_of(TASKS)), TASKS)
    invokers.verify(certificates.key.sign(claims_of(TASKS, iss="accounts.google.com")), TASKS)


@pytest.mark.parametrize("kind", WRONG)
def test_a_token_of_google_about_someone_else_is_refused(
    invokers: Invokers, certificates: CertificateServer, kind: str
) -> None:
    with pytest.raises(InvalidToken):
        invokers.verify(certificates.key.sign(claims_of(TASKS, **WRONG[kind])), TASKS)


@pytest.mark.parametrize("kind", FORGED)
def test_a_token_that_google_did_not_make_is_refused(
    invokers: Invokers, certificates: CertificateServer, kind: str
) -> None:
    with pytest.raises(InvalidToken):
        invokers.verify(FORGED[kind](certificates.key, TASKS), TASKS)


def test_without_a_configured_audience_nobody_is_let_in(
    invokers: Invokers, certificates: CertificateServer
) -> None:
    for audience in ("", None):
        with pytest.raises(InvalidToken):
            invokers.verify(certificates.key.sign(claims_of(TASKS, aud=audience)), "")


def test_a_remembered_caller_ends_with_its_token(
    invokers: Invokers, certificates: CertificateServer
) -> None:
    end = time.time() + 0.6
    token = certificates.key.sign(claims_of(TASKS, exp=end))
    invokers.verify(token, TASKS)
    certificates.down = True
    invokers.verify(token, TASKS)
    with pytest.raises(InvalidToken):
        invokers.verify(token, CLEANUP)
    time.sleep(max(0.0, end - time.time()) + 0.02)
    with pytest.raises((InvalidToken, IdentityUnavailable)):
        invokers.verify(token, TASKS)


def test_certificates_are_kept_between_calls(
    invokers: Invokers, certificates: CertificateServer
) -> None:
    for number in range(5):
        invokers.verify(certificates.key.sign(claims_of(TASKS, sub=str(number))), TASKS)
    assert certificates.fetches == 1


def test_certificates_that_cannot_be_had_are_no_fault_of_the_caller(
    certificates: CertificateServer,
) -> None:
    token = certificates.key.sign(claims_of(TASKS))
    certificates.down = True
    for url in (certificates.url, "http://127.0.0.1:9/certs"):
        with pytest.raises(IdentityUnavailable):
            Invokers(Settings(invoker_certs_url=url)).verify(token, TASKS)


@pytest.fixture
def behind_cloud_run(monkeypatch: pytest.MonkeyPatch) -> Invokers:
    """Where Cloud Run has checked the signature already and taken it away."""
    monkeypatch.setenv("K_SERVICE", "tasks")
    return Invokers(
        Settings(
            environment="prod", private_service=True, invoker_certs_url="http://127.0.0.1:9/certs"
        )
    )


def test_behind_cloud_run_the_claims_are_enough(
    behind_cloud_run: Invokers, certificates: CertificateServer
) -> None:
    behind_cloud_run.verify(removed(certificates.key, claims_of(TASKS)), TASKS)


@pytest.mark.parametrize("kind", [kind for kind in WRONG if kind != "from the future"])
def test_behind_cloud_run_the_claims_must_be_right(
    behind_cloud_run: Invokers, certificates: CertificateServer, kind: str
) -> None:
    with pytest.raises(InvalidToken):
        behind_cloud_run.verify(removed(certificates.key, claims_of(TASKS, **WRONG[kind])), TASKS)


@pytest.mark.parametrize("claims", [[], None, "text", 5, {}, {"exp": "never"}, {"exp": []}])
def test_behind_cloud_run_odd_claims_are_refused(
    behind_cloud_run: Invokers, certificates: CertificateServer, claims: Any
) -> None:
    with pytest.raises(InvalidToken):
        behind_cloud_run.verify(removed(certificates.key, claims), TASKS)


@pytest.mark.parametrize(
    ("private", "environment", "service"),
    [
        pytest.param(False, "prod", "tasks", id="on Cloud Run as a public service"),
        pytest.param(True, "prod", None, id="outside Cloud Run"),
        pytest.param(True, "local", "tasks", id="on a developer's machine"),
    ],
)
def test_a_removed_signature_is_never_enough(
    certificates: CertificateServer,
    monkeypatch: pytest.MonkeyPatch,
    private: bool,
    environment: str,
    service: str | None,
) -> None:
    monkeypatch.delenv("K_SERVICE", raising=False)
    if service:
        monkeypatch.setenv("K_SERVICE", service)
    given = {
        "environment": environment,
        "private_service": private,
        "invoker_certs_url": certificates.url,
    }
    invokers = Invokers(Settings.model_validate(given))
    with pytest.raises(InvalidToken):
        invokers.verify(removed(certificates.key, claims_of(TASKS)), TASKS)
    invokers.verify(certificates.key.sign(claims_of(TASKS)), TASKS)


def test_behind_cloud_run_a_signature_that_is_there_must_still_be_googles(
    certificates: CertificateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K_SERVICE", "tasks")
    private = Settings(environment="prod", private_service=True, invoker_certs_url=certificates.url)
    for token in (
        SigningKey().sign(claims_of(TASKS)),
        removed(certificates.key, claims_of(TASKS)) + "x",
        removed(certificates.key, claims_of(TASKS)).replace(REMOVED, ""),
        removed(certificates.key, claims_of(TASKS)).replace(REMOVED, REMOVED.lower()),
        f"x.{removed(certificates.key, claims_of(TASKS))}",
    ):
        with pytest.raises(InvalidToken):
            Invokers(private).verify(token, TASKS)


@pytest.mark.parametrize("function", ROUTES)
def test_on_a_private_service_internal_routes_let_in_whom_cloud_run_has_checked(
    knock: Knock, certificates: CertificateServer, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    audience, (path, *_) = ROUTES[function]
    forwarded = removed(certificates.key, claims_of(audience))
    assert knock(function, path, forwarded).status_code == 401
    monkeypatch.setenv("K_SERVICE", function)
    on_cloud_run = {"environment": "prod", "private_service": True}
    parts = common_runtime()
    parts.invokers = Invokers(parts.settings.model_copy(update=on_cloud_run))
    assert knock(function, path, forwarded).status_code == 200
    other = removed(certificates.key, claims_of(audience, email="someone@tarsify.example"))
    assert knock(function, path, other).status_code == 401


@pytest.mark.parametrize("function", ROUTES)
def test_a_token_beside_the_one_that_cloud_run_checks_is_refused(
    knock: Knock, certificates: CertificateServer, function: str
) -> None:
    audience, (path, *_) = ROUTES[function]
    token = certificates.key.sign(claims_of(audience))
    beside = {"X-Serverless-Authorization": f"Bearer {token}"}
    assert knock(function, path, token, beside).status_code == 401
    assert knock(function, path, token).status_code == 200


@pytest.mark.parametrize("function", ROUTES)
def test_each_internal_route_lets_in_only_its_own_caller(
    certificates: CertificateServer, knock: Knock, function: str
) -> None:
    audience, paths = ROUTES[function]
    other = CLEANUP if audience == TASKS else TASKS
    key = certificates.key
    for path in paths:
        assert knock(function, path, None).get_json()["error"]["code"] == "MISSING_TOKEN"
        refused = [FORGED[kind](key, audience) for kind in FORGED if kind != "NUL"]
        refused += [key.sign(claims_of(audience, **WRONG[kind])) for kind in WRONG]
        for token in [*refused, key.sign(claims_of(other))]:
            response = knock(function, path, token)
            assert response.status_code == 401
            assert response.get_json()["error"]["code"] == "INVALID_TOKEN"
        assert knock(function, path, key.sign(claims_of(audience))).status_code == 200


def test_a_caller_that_cannot_be_checked_is_asked_to_come_again(
    certificates: CertificateServer, knock: Knock
) -> None:
    certificates.down = True
    response = knock("cleanup", "/sweep", certificates.key.sign(claims_of(CLEANUP)))
    assert (response.status_code, response.get_json()["error"]["retryable"]) == (503, True)
