"""Signed tokens through firebase-admin's own verification, down to TLS."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import firebase_admin
import pytest
from firebase_admin import auth, credentials
from google.auth.credentials import AnonymousCredentials

from infra.local.identity.google import RunningGoogle, running_google
from infra.local.identity.mint import TokenMint

PROJECT = "tarsify-users"


class NoCredential(credentials.Base):  # type: ignore[misc]
    """Verification needs no key of ours."""

    def get_credential(self) -> Any:
        anonymous: Any = AnonymousCredentials
        return anonymous()


@pytest.fixture(scope="module")
def google() -> Iterator[RunningGoogle]:
    with running_google() as google, pytest.MonkeyPatch.context() as environment:
        environment.delenv("FIREBASE_AUTH_EMULATOR_HOST", raising=False)
        for name, value in google.environment().items():
            environment.setenv(name, value)
        yield google


@pytest.fixture
def app(google: RunningGoogle) -> Iterator[Any]:
    """A fresh app each time, as certificates are cached per app."""
    app = firebase_admin.initialize_app(NoCredential(), {"projectId": PROJECT}, uuid.uuid4().hex)
    yield app
    firebase_admin.delete_app(app)


@pytest.fixture
def mint(google: RunningGoogle) -> TokenMint:
    return google.mint(PROJECT)


def test_a_good_token_gives_its_claims(app: Any, mint: TokenMint) -> None:
    claims = auth.verify_id_token(mint.token("u1", "u@example.com", name="Zoë"), app=app)
    assert (claims["uid"], claims["email"], claims["name"]) == ("u1", "u@example.com", "Zoë")
    assert claims["email_verified"] is True


def test_the_kinds_of_people_differ_only_in_their_claims(app: Any, mint: TokenMint) -> None:
    assert auth.verify_id_token(mint.admin(), app=app)["admin"] is True
    assert "email" not in auth.verify_id_token(mint.without_email(), app=app)
    unverified = auth.verify_id_token(mint.email_unverified(), app=app)
    assert unverified["email_verified"] is False


def test_an_expired_token_is_refused_as_expired(app: Any, mint: TokenMint) -> None:
    with pytest.raises(auth.ExpiredIdTokenError):
        auth.verify_id_token(mint.expired(), app=app)


BAD: dict[str, Callable[[TokenMint], str]] = {
    "not signed": lambda mint: mint.unsigned(),
    "unknown key": lambda mint: mint.by_unknown_key(),
    "another's key under a known id": lambda mint: mint.by_impostor(),
    "hmac with the public key": lambda mint: mint.by_public_key(),
    "swapped claims": lambda mint: mint.tampered(),
    "other audience": lambda mint: mint.for_audience("tarsify-studio"),
    "other issuer": lambda mint: mint.from_issuer(),
    "not yet valid": lambda mint: mint.issued_in_the_future(),
    "nobody": lambda mint: mint.token(""),
    "other project": lambda mint: TokenMint("tarsify-studio", mint.key).token(),
    "no token": lambda _: "nonsense",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_refused(app: Any, mint: TokenMint, kind: str) -> None:
    with pytest.raises(auth.InvalidIdTokenError) as refusal:
        auth.verify_id_token(BAD[kind](mint), app=app)
    assert not isinstance(refusal.value, auth.ExpiredIdTokenError)


def test_certificates_are_fetched_once_for_many_tokens(
    app: Any, mint: TokenMint, google: RunningGoogle
) -> None:
    before = google.fetches
    for number in range(3):
        auth.verify_id_token(mint.token(f"u{number}"), app=app)
    assert google.fetches == before + 1


def test_a_google_that_is_down_is_not_a_bad_token(
    app: Any, mint: TokenMint, google: RunningGoogle
) -> None:
    google.down = True
    try:
        with pytest.raises(auth.CertificateFetchError):
            auth.verify_id_token(mint.token(), app=app)
    finally:
        google.down = False
    assert auth.verify_id_token(mint.token(), app=app)["uid"] == "uid-1"
