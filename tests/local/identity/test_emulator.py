"""The sign-in calls of Firebase's clients, and what firebase-admin makes of their tokens."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import firebase_admin
import pytest
import requests
from firebase_admin import auth

from infra.local.identity.running import running_identity
from infra.local.identity.unsigned import mint_local_token

USERS, DEVELOPERS = "tarsify-users", "tarsify-studio"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with running_identity() as served, pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIREBASE_AUTH_EMULATOR_HOST", served.host)
        yield served.host


@pytest.fixture(scope="module")
def users(host: str) -> Iterator[Any]:
    """firebase-admin's app of the consumers' project, in emulator mode."""
    app = firebase_admin.initialize_app(options={"projectId": USERS}, name=uuid.uuid4().hex)
    yield app
    firebase_admin.delete_app(app)


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def call(host: str, verb: str, body: Mapping[str, object], project: str = USERS) -> Any:
    """One call of the client; an error document is raised."""
    url = f"http://{host}/identitytoolkit.googleapis.com/v1/accounts:{verb}?key={project}"
    answer = requests.post(url, json=body, timeout=5)
    document = answer.json()
    if not answer.ok:
        raise AssertionError(document["error"]["message"])
    return document


def sign_up(host: str, email: str, project: str = USERS) -> Any:
    body = {"email": email, "password": "secret-1", "returnSecureToken": True}
    return call(host, "signUp", body, project)


def test_signing_up_gives_a_token_that_firebase_admin_accepts(
    host: str, users: Any, email: str
) -> None:
    person = sign_up(host, email)
    claims = auth.verify_id_token(person["idToken"], app=users)
    assert (claims["uid"], claims["email"]) == (person["localId"], email)
    assert claims["email_verified"] is False
    assert claims["firebase"]["sign_in_provider"] == "password"


def test_signing_in_takes_the_right_password_only(host: str, email: str) -> None:
    uid = sign_up(host, email)["localId"]
    right = {"email": email.upper(), "password": "secret-1"}
    assert call(host, "signInWithPassword", right)["localId"] == uid
    for wrong in ({"email": email, "password": "wrong"}, {"email": "x@y", "password": "secret-1"}):
        with pytest.raises(AssertionError, match="INVALID_LOGIN_CREDENTIALS"):
            call(host, "signInWithPassword", wrong)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"email": "a@example.com", "password": "short"}, "WEAK_PASSWORD"),
        ({"email": "no address", "password": "secret-1"}, "INVALID_EMAIL"),
        ({"email": "a@example.com"}, "MISSING_PASSWORD"),
        ({}, "ADMIN_ONLY_OPERATION"),
    ],
)
def test_a_sign_up_that_firebase_refuses_is_refused(
    host: str, body: dict[str, object], refusal: str
) -> None:
    with pytest.raises(AssertionError, match=refusal):
        call(host, "signUp", body)


def test_an_address_signs_up_once_per_project(host: str, email: str) -> None:
    sign_up(host, email)
    with pytest.raises(AssertionError, match="EMAIL_EXISTS"):
        sign_up(host, email)
    sign_up(host, email, DEVELOPERS)


def test_a_token_of_one_project_is_refused_by_the_other(host: str, users: Any, email: str) -> None:
    token = sign_up(host, email, DEVELOPERS)["idToken"]
    with pytest.raises(auth.InvalidIdTokenError, match="audience"):
        auth.verify_id_token(token, app=users)
    with pytest.raises(AssertionError, match="INVALID_ID_TOKEN"):
        call(host, "lookup", {"idToken": token})


def test_a_person_can_look_at_change_and_delete_their_account(host: str, email: str) -> None:
    token = sign_up(host, email)["idToken"]
    call(host, "update", {"idToken": token, "displayName": "Zoë", "returnSecureToken": True})
    [record] = call(host, "lookup", {"idToken": token})["users"]
    assert (record["displayName"], record["email"]) == ("Zoë", email)
    call(host, "delete", {"idToken": token})
    with pytest.raises(AssertionError, match="USER_NOT_FOUND"):
        call(host, "lookup", {"idToken": token})


def test_a_refresh_token_gives_a_new_token_with_what_has_changed(
    host: str, users: Any, email: str
) -> None:
    person = sign_up(host, email)
    call(host, "update", {"idToken": person["idToken"], "displayName": "New"})
    fresh = refresh(host, person["refreshToken"], USERS).json()
    assert auth.verify_id_token(fresh["id_token"], app=users)["name"] == "New"
    assert fresh["user_id"] == person["localId"]
    assert not refresh(host, person["refreshToken"], DEVELOPERS).ok
    assert not refresh(host, "nonsense", USERS).ok


def refresh(host: str, token: str, project: str) -> requests.Response:
    return requests.post(
        f"http://{host}/securetoken.googleapis.com/v1/token?key={project}",
        data={"grant_type": "refresh_token", "refresh_token": token},
        timeout=5,
    )


def test_a_google_account_signs_in_and_is_recognised_the_next_time(
    host: str, users: Any, email: str
) -> None:
    google = json.dumps({"sub": uuid.uuid4().hex, "email": email, "name": "Gwen"})
    body = {
        "postBody": urlencode({"id_token": google, "providerId": "google.com"}),
        "requestUri": "http://localhost",
        "returnSecureToken": True,
    }
    first, second = call(host, "signInWithIdp", body), call(host, "signInWithIdp", body)
    assert (first["isNewUser"], second["isNewUser"]) == (True, False)
    assert first["localId"] == second["localId"]
    claims = auth.verify_id_token(first["idToken"], app=users)
    assert (claims["email_verified"], claims["name"]) == (True, "Gwen")
    assert claims["firebase"]["sign_in_provider"] == "google.com"


def test_a_forgotten_password_is_reset_by_the_code_that_was_sent(host: str, email: str) -> None:
    sign_up(host, email)
    call(host, "sendOobCode", {"requestType": "PASSWORD_RESET", "email": email})
    code = sent_to(host, email)
    call(host, "resetPassword", {"oobCode": code, "newPassword": "changed-1"})
    call(host, "signInWithPassword", {"email": email, "password": "changed-1"})
    with pytest.raises(AssertionError, match="INVALID_OOB_CODE"):
        call(host, "resetPassword", {"oobCode": code, "newPassword": "again-12"})


def test_an_address_is_verified_by_the_code_that_was_sent(host: str, email: str) -> None:
    token = sign_up(host, email)["idToken"]
    call(host, "sendOobCode", {"requestType": "VERIFY_EMAIL", "idToken": token})
    call(host, "update", {"oobCode": sent_to(host, email)})
    assert call(host, "lookup", {"idToken": token})["users"][0]["emailVerified"] is True


def sent_to(host: str, email: str) -> str:
    mails = requests.get(f"http://{host}/emulator/v1/projects/{USERS}/oobCodes", timeout=5).json()
    [code] = [mail["oobCode"] for mail in mails["oobCodes"] if mail["email"] == email]
    return str(code)


def test_firebase_admin_manages_the_same_people(host: str, users: Any, email: str) -> None:
    person = auth.create_user(uid="chosen", email=email, password="secret-1", app=users)
    assert auth.get_user_by_email(email, app=users).uid == person.uid == "chosen"
    auth.set_custom_user_claims("chosen", {"admin": True}, app=users)
    token = call(host, "signInWithPassword", {"email": email, "password": "secret-1"})["idToken"]
    assert auth.verify_id_token(token, app=users)["admin"] is True
    assert "chosen" in {user.uid for user in auth.list_users(app=users).iterate_all()}
    auth.update_user("chosen", disabled=True, app=users)
    with pytest.raises(AssertionError, match="USER_DISABLED"):
        call(host, "signInWithPassword", {"email": email, "password": "secret-1"})
    auth.delete_user("chosen", app=users)
    with pytest.raises(auth.UserNotFoundError):
        auth.get_user("chosen", app=users)


def test_a_token_minted_without_an_account_is_accepted_in_emulator_mode(users: Any) -> None:
    token = mint_local_token(USERS, "dev-1", "dev@example.com", admin=True, name="Dev")
    claims = auth.verify_id_token(token, app=users)
    assert (claims["uid"], claims["admin"], claims["name"]) == ("dev-1", True, "Dev")


def test_a_browser_on_another_origin_may_call(host: str) -> None:
    url = f"http://{host}/identitytoolkit.googleapis.com/v1/accounts:signUp?key={USERS}"
    headers = {
        "Origin": "http://localhost:8080",
        "Access-Control-Request-Headers": "content-type,x-client-version,x-firebase-gmpid",
    }
    preflight = requests.options(url, headers=headers, timeout=5)
    assert "x-client-version" in preflight.headers["Access-Control-Allow-Headers"]
    refused = requests.post(url, json={}, headers=headers, timeout=5)
    assert refused.status_code == 400
    assert refused.headers["Access-Control-Allow-Origin"] == "http://localhost:8080"


def test_accounts_and_sessions_survive_kill_9(tmp_path: Path, email: str) -> None:
    command = [sys.executable, "-m", "infra.local.identity", "--port", "0"]
    command += ["--data", str(tmp_path / "accounts.sqlite")]
    for first in (True, False):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            host = process.stdout.readline().split()[-1]
            try:
                if first:
                    person = sign_up(host, email)
                else:
                    assert refresh(host, person["refreshToken"], USERS).ok
                    call(host, "signInWithPassword", {"email": email, "password": "secret-1"})
            finally:
                os.kill(process.pid, signal.SIGKILL)
