"""ID tokens on the path that runs in production: firebase-admin, certificates fetched over TLS."""

import base64
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from common.db import Database
from common.errors import (
    IdentityUnavailable,
    InvalidToken,
    TarsifyError,
    TokenExpired,
    WrongProject,
)
from common.gateways.identity import Audience, Identities
from common.runtime import Runtime, install
from common.settings import ConfigurationError, Settings, read
from infra.local.identity.google import RunningGoogle
from infra.local.identity.mint import TokenMint
from infra.local.identity.unsigned import mint_local_token

PROJECTS: dict[Audience, str] = {"users": "tarsify-users", "developers": "tarsify-studio"}
OTHER: dict[Audience, Audience] = {"users": "developers", "developers": "users"}
AUDIENCES: list[Audience] = ["users", "developers"]
# A route behind each guard: function, path, whose tokens it takes.
DOORS: dict[str, tuple[str, Audience]] = {
    "marketplace": ("/api/marketplace/auth/me", "users"),
    "studio": ("/api/studio/auth/me", "developers"),
    "admin": ("/api/admin/endpoints", "developers"),
}
Knock = Callable[..., TestResponse]


@pytest.fixture
def identities(google: RunningGoogle) -> Identities:
    """A verifier that has seen nothing yet."""
    return Identities(Settings())


@pytest.fixture
def knock(google: RunningGoogle, db: Database, settings: Settings, apps: Any) -> Knock:
    """Sends a token, or a whole header, to a function's door."""

    def send(function: str, token: str | None, *, header: str | None = None) -> TestResponse:
        client: Any = apps(function).test_client()
        value = header if token is None else f"Bearer {token}"
        # Past the client's own checks of headers: what a careless server would let through.
        environ = {} if value is None else {"HTTP_AUTHORIZATION": value}
        response: TestResponse = client.get(DOORS[function][0], environ_overrides=environ)
        return response

    runtime = Runtime(settings.model_copy(update={"admin_uids": ("listed",)}))
    runtime.db = db
    install(runtime)
    return send


def part(value: Any) -> str:
    """A piece of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(mint: TokenMint, header: Any = None, **claims: Any) -> str:
    """Parts of our own choice under the signature of a good token."""
    head, body, signature = mint.token().split(".")
    true = json.loads(base64.urlsafe_b64decode(body + "=="))
    given_header = part(header) if header is not None else head
    return f"{given_header}.{part(true | claims) if claims else body}.{signature}"


def kid(mint: TokenMint) -> dict[str, Any]:
    return {"alg": "RS256", "kid": mint.key.key_id, "typ": "JWT"}


GENERAL = "This ID token is not valid. Sign in again."
NOT_A_TOKEN = "This is not an ID token. Sign in again."
NOT_SIGNED = "This ID token is not signed by the identity service."
BAD: dict[str, tuple[Callable[[TokenMint], str], str]] = {
    "not signed": (lambda mint: mint.unsigned(), NOT_SIGNED),
    "algorithm none with a signature": (
        lambda mint: forged(mint, {**kid(mint), "alg": "none"}),
        NOT_SIGNED,
    ),
    "hmac with the public key": (lambda mint: mint.by_public_key(), NOT_SIGNED),
    "signature cut off": (lambda mint: mint.token().rpartition(".")[0] + ".", GENERAL),
    "by a key that is not published": (lambda mint: mint.by_unknown_key(), GENERAL),
    "by another's key under a published id": (lambda mint: mint.by_impostor(), GENERAL),
    "another's claims under the signature": (lambda mint: mint.tampered(), GENERAL),
    "not yet valid": (lambda mint: mint.issued_in_the_future(), GENERAL),
    "another issuer": (lambda mint: mint.from_issuer(), GENERAL),
    "an unknown project": (lambda mint: mint.for_audience("somewhere-else"), GENERAL),
    "nobody": (lambda mint: mint.token(""), GENERAL),
    "a subject that is too long": (lambda mint: mint.token("x" * 129), GENERAL),
    "without an end": (lambda mint: mint.token(exp=None), GENERAL),
    "audience as a list": (lambda mint: forged(mint, aud=["tarsify-users"]), GENERAL),
    "audience as an object": (lambda mint: forged(mint, aud={"a": 1}), GENERAL),
    "subject as a number": (lambda mint: forged(mint, sub=5), GENERAL),
    "end as a text": (lambda mint: forged(mint, exp="never"), GENERAL),
    "key id as an object": (lambda mint: forged(mint, {**kid(mint), "kid": {}}), GENERAL),
    "algorithm as a list": (lambda mint: forged(mint, {**kid(mint), "alg": ["RS256"]}), NOT_SIGNED),
    "header as a list": (lambda mint: forged(mint, [1]), NOT_A_TOKEN),
    "header as a text": (lambda mint: forged(mint, "x"), NOT_A_TOKEN),
    "header nested beyond measure": (lambda mint: forged(mint, b"[" * 5000), NOT_A_TOKEN),
    "header that is no text": (lambda mint: forged(mint, b"\xff\xfe"), NOT_A_TOKEN),
    "claims as a list": (lambda mint: f"{mint.token().split('.')[0]}.{part([])}.x", NOT_A_TOKEN),
    "claims as null": (lambda mint: f"{mint.token().split('.')[0]}.{part(None)}.x", NOT_A_TOKEN),
    "rubbish": (lambda _: "rubbish", NOT_A_TOKEN),
    "dots": (lambda _: "...", NOT_A_TOKEN),
    "ten kilobytes": (lambda _: "a" * 10_000, NOT_A_TOKEN),
    "ten kilobytes in three parts": (
        lambda _: f"{'a' * 3333}.{'b' * 3333}.{'c' * 3333}",
        NOT_A_TOKEN,
    ),
    "NUL": (lambda _: "a\x00b", NOT_A_TOKEN),
    "HTML": (lambda _: "<script>alert(1)</script>", NOT_A_TOKEN),
    "letters beyond ASCII": (lambda _: "é.ü.ß", NOT_A_TOKEN),
    "half a surrogate pair": (lambda _: "\ud800.x.y", NOT_A_TOKEN),
}


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_good_token_says_who_sent_it(
    google: RunningGoogle, identities: Identities, audience: Audience
) -> None:
    token = google.mint(PROJECTS[audience]).token(
        "u1", "zoe@example.com", name="Zoë", picture="https://a.example/p", email_verified=False
    )
    who = identities.verify(token, audience)
    assert (who.uid, who.email, who.name) == ("u1", "zoe@example.com", "Zoë")
    assert (who.picture, who.email_verified, who.admin) == ("https://a.example/p", False, False)


def test_a_person_without_an_address_is_a_person(
    google: RunningGoogle, identities: Identities
) -> None:
    who = identities.verify(google.mint("tarsify-users").without_email(), "users")
    assert (who.email, who.email_verified, who.name, who.picture) == (None, False, None, None)


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("kind", BAD)
def test_w43_a_bad_token_is_invalid_and_says_why(
    google: RunningGoogle, identities: Identities, audience: Audience, kind: str
) -> None:
    make, message = BAD[kind]
    with pytest.raises(InvalidToken) as refused:
        identities.verify(make(google.mint(PROJECTS[audience])), audience)
    assert refused.value.message == message


@pytest.mark.parametrize("audience", AUDIENCES)
def test_w43_an_expired_token_says_so(
    google: RunningGoogle, identities: Identities, audience: Audience
) -> None:
    with pytest.raises(TokenExpired):
        identities.verify(google.mint(PROJECTS[audience]).expired(), audience)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_w43_a_token_of_the_other_project_says_so(
    google: RunningGoogle, identities: Identities, audience: Audience
) -> None:
    other = google.mint(PROJECTS[OTHER[audience]])
    for token in (other.token(), other.admin(), other.unsigned()):
        with pytest.raises(WrongProject):
            identities.verify(token, audience)


def test_a_token_that_was_good_for_one_project_is_not_remembered_for_the_other(
    google: RunningGoogle, identities: Identities
) -> None:
    token = google.mint(PROJECTS["users"]).token()
    assert identities.verify(token, "users")
    with pytest.raises(WrongProject):
        identities.verify(token, "developers")


def test_a_clock_that_is_a_little_ahead_is_forgiven(
    google: RunningGoogle, identities: Identities
) -> None:
    ahead = int(time.time()) + 2
    token = google.mint(PROJECTS["users"]).token(iat=ahead, auth_time=ahead)
    assert identities.verify(token, "users").uid == "uid-1"


def test_the_end_of_a_token_is_not_forgiven(google: RunningGoogle, identities: Identities) -> None:
    with pytest.raises(TokenExpired):
        identities.verify(google.mint(PROJECTS["users"]).token(exp=int(time.time()) - 1), "users")


def test_a_remembered_token_ends_when_it_says(
    google: RunningGoogle, identities: Identities
) -> None:
    end = int(time.time()) + 2
    token = google.mint(PROJECTS["users"]).token(exp=end)
    assert identities.verify(token, "users") is identities.verify(token, "users")
    threading.Event().wait(end - time.time() + 0.05)
    with pytest.raises(TokenExpired):
        identities.verify(token, "users")


def test_ten_callers_at_once_fetch_the_certificates_hardly_more_than_once(
    google: RunningGoogle, identities: Identities
) -> None:
    mint, before = google.mint(PROJECTS["users"]), google.fetches
    tokens = [mint.token(f"u{number}") for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda token: identities.verify(token, "users").uid, tokens))
    assert found == [f"u{number}" for number in range(10)]
    settled = google.fetches
    assert settled - before <= 10
    identities.verify(mint.token("u10"), "users")
    assert google.fetches == settled


def test_certificates_that_cannot_be_had_are_no_fault_of_the_token(
    google: RunningGoogle, identities: Identities
) -> None:
    token = google.mint(PROJECTS["users"]).token()
    google.down = True
    with pytest.raises(IdentityUnavailable):
        identities.verify(token, "users")
    google.down = False
    assert identities.verify(token, "users").uid == "uid-1"
    google.down = True
    assert identities.verify(token, "users").uid == "uid-1"


@pytest.mark.parametrize("function", DOORS)
def test_each_door_answers_each_kind_of_token_in_its_own_words(
    google: RunningGoogle, knock: Knock, function: str
) -> None:
    audience = DOORS[function][1]
    mint, other = google.mint(PROJECTS[audience]), google.mint(PROJECTS[OTHER[audience]])
    answers = {
        "missing": knock(function, None),
        "rubbish": knock(function, "rubbish"),
        "unsigned": knock(function, mint.unsigned()),
        "forged": knock(function, mint.tampered()),
        "expired": knock(function, mint.expired()),
        "other project": knock(function, other.token()),
    }
    errors = {kind: answer.get_json()["error"] for kind, answer in answers.items()}
    assert {answer.status_code for answer in answers.values()} == {401}
    assert {answer.headers["WWW-Authenticate"] for answer in answers.values()} == {"Bearer"}
    assert {kind: error["code"] for kind, error in errors.items()} == {
        "missing": "MISSING_TOKEN",
        "rubbish": "INVALID_TOKEN",
        "unsigned": "INVALID_TOKEN",
        "forged": "INVALID_TOKEN",
        "expired": "TOKEN_EXPIRED",
        "other project": "WRONG_PROJECT",
    }
    assert len({error["message"] for error in errors.values()}) == len(errors)


def test_a_header_without_a_token_asks_for_one(knock: Knock) -> None:
    for header in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer  two",
        "Bearer a b",
        "Basic x",
        "x",
        "Bearer\tx",
    ):
        response = knock("marketplace", None, header=header)
        assert response.status_code == 401
        assert response.get_json()["error"]["code"] == "MISSING_TOKEN"


def test_the_scheme_may_be_written_in_any_case(google: RunningGoogle, knock: Knock) -> None:
    token = google.mint(PROJECTS["users"]).token()
    for scheme in ("Bearer", "bearer", "BEARER"):
        response = knock("marketplace", None, header=f"{scheme} {token}")
        assert response.get_json()["error"]["code"] == "CONSUMER_NOT_FOUND"


def test_odd_bytes_at_the_door_are_the_callers_fault(google: RunningGoogle, knock: Knock) -> None:
    for kind, status in {"NUL": 400, "ten kilobytes": 401, "HTML": 401}.items():
        answered = knock("marketplace", BAD[kind][0](google.mint(PROJECTS["users"])))
        assert answered.status_code == status
        assert answered.get_json()["success"] is False


@pytest.mark.parametrize("function", DOORS)
def test_w44_an_identity_service_that_is_down_is_a_503(
    google: RunningGoogle, knock: Knock, function: str
) -> None:
    google.down = True
    response = knock(function, google.mint(PROJECTS[DOORS[function][1]]).admin())
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (503, "IDENTITY_UNAVAILABLE")
    assert error["retryable"] is True
    assert "google" not in response.text.lower()


def test_staff_are_those_with_the_claim_and_those_on_the_list(
    google: RunningGoogle, knock: Knock
) -> None:
    mint = google.mint(PROJECTS["developers"])
    assert knock("admin", mint.admin()).status_code == 200
    assert knock("admin", mint.token("listed")).status_code == 200


def test_anyone_else_who_is_signed_in_is_not_staff(google: RunningGoogle, knock: Knock) -> None:
    mint = google.mint(PROJECTS["developers"])
    for claim in (None, False, "true", 1, ["admin"], {"admin": True}):
        response = knock("admin", mint.token("unlisted", admin=claim))
        assert (response.status_code, response.get_json()["error"]["code"]) == (403, "NOT_AN_ADMIN")


def test_the_claim_of_a_consumer_opens_nothing(google: RunningGoogle, knock: Knock) -> None:
    response = knock("admin", google.mint(PROJECTS["users"]).admin("listed"))
    assert (response.status_code, response.get_json()["error"]["code"]) == (401, "WRONG_PROJECT")


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_emulator_starts_on_one_machine_only(environment: str) -> None:
    emulator = {"FIREBASE_AUTH_EMULATOR_HOST": "localhost:9099"}
    assert read(emulator).firebase_auth_emulator_host == "localhost:9099"
    with pytest.raises(ConfigurationError, match="FIREBASE_AUTH_EMULATOR_HOST must not be set"):
        read(emulator | {"ENVIRONMENT": environment})


def test_the_emulator_does_not_start_where_the_environment_was_forgotten() -> None:
    with pytest.raises(ConfigurationError, match="ENVIRONMENT: must be dev, staging or prod"):
        read({"K_SERVICE": "marketplace", "FIREBASE_AUTH_EMULATOR_HOST": "localhost:9099"})


def test_a_complaint_about_configuration_does_not_repeat_the_value() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read({"DB_POOL_SIZE": "hunter2", "LOG_LEVEL": "LOUD"})
    assert str(refused.value).startswith("LOG_LEVEL: ")
    assert "DB_POOL_SIZE: " in str(refused.value)
    assert "hunter2" not in str(refused.value)


EMULATED: dict[str, tuple[dict[str, Any], type[TarsifyError]]] = {
    "expired": ({"exp": 1}, TokenExpired),
    "of the other project": ({"aud": "tarsify-studio"}, WrongProject),
    "of another issuer": ({"iss": "https://evil.example"}, InvalidToken),
    "without an end": ({"exp": None}, TokenExpired),
    "with an odd end": ({"exp": "never"}, TokenExpired),
}


@pytest.mark.parametrize("kind", EMULATED)
def test_the_emulators_tokens_are_unsigned_but_not_unchecked(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9")
    identities = Identities(Settings(firebase_auth_emulator_host="127.0.0.1:9"))
    good = mint_local_token("tarsify-users", "u1", "a@example.com")
    assert identities.verify(good, "users").uid == "u1"
    claims, refusal = EMULATED[kind]
    with pytest.raises(refusal):
        identities.verify(
            mint_local_token("tarsify-users", "u1", "a@example.com", **claims), "users"
        )
