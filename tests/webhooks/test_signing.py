"""Our signatures, verified by others: the reference package, and a receiver made of the
specification alone (Standard Webhooks 1.0.0)."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from common.webhooks.signing import headers, make_secret

ID = "evt_771_42"


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def verified_by_specification(secret: str, told: dict[str, str], body: bytes) -> bool:
    """What the specification asks a receiver to do, and nothing of ours."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = b".".join([told["webhook-id"].encode(), told["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given_ones = [each.split(",", 1) for each in told["webhook-signature"].split(" ")]
    fresh = abs(now() - int(told["webhook-timestamp"])) < 300
    return fresh and any(kind == "v1" and mark == expected for kind, mark in given_ones)


def test_the_reference_package_verifies_what_we_sign() -> None:
    secret, body = make_secret(), b'{"type":"run.completed"}'
    told = headers(ID, now(), body, [secret])
    assert Webhook(secret).verify(body, told) == {"type": "run.completed"}


@pytest.mark.parametrize("changed", ["body", "id", "time"])
def test_it_refuses_what_was_changed_on_the_way(changed: str) -> None:
    secret, body = make_secret(), b'{"type":"run.completed"}'
    told = headers(ID, now(), body, [secret])
    if changed == "body":
        body = body.replace(b"completed", b"cancelled")
    elif changed == "id":
        told["webhook-id"] = "evt_771_43"
    else:
        told["webhook-timestamp"] = str(now() - 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, told)


@given(body=st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_a_receiver_made_of_the_specification_verifies_every_body(body: bytes) -> None:
    old, new = make_secret(), make_secret()
    told = headers(ID, now(), body, [new, old])
    assert verified_by_specification(old, told, body)
    assert verified_by_specification(new, told, body)
    assert not verified_by_specification(make_secret(), told, body)


def test_a_secret_has_the_length_that_the_specification_asks_for() -> None:
    key = base64.b64decode(make_secret().removeprefix("whsec_"))
    assert 24 <= len(key) <= 64
