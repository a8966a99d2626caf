"""Idempotency keys: one effect, one answer, for a day."""

import threading
from typing import Any

import httpx
import pytest
import stripe as sdk
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from infra.local.stripe.running import stripe_client
from tests.local.stripe.shopping import order, paid, refusal, seller

KEY: Any = {"idempotency_key": "one-click"}


def test_the_same_key_and_parameters_give_the_same_answer(
    stripe: StripeClient, control: StripeControl
) -> None:
    first = stripe.v1.checkout.sessions.create(order(), KEY)
    control.pay(first.id)
    again = stripe.v1.checkout.sessions.create(order(), KEY)
    assert again.to_dict() == first.to_dict()
    assert len(stripe.v1.checkout.sessions.list().data) == 1


def test_a_replayed_answer_says_so_and_names_the_first_request(control: StripeControl) -> None:
    headers = {"Authorization": f"Bearer {control.key}", "Idempotency-Key": "one-click"}
    form = {"type": "express"}
    url = f"{control.url}/v1/accounts"
    with httpx.Client(headers=headers, trust_env=False) as http:
        first, again = http.post(url, data=form), http.post(url, data=form)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert again.headers["Request-Id"] != first.headers["Request-Id"]
    assert again.content == first.content


def test_the_same_key_with_other_parameters_is_an_error(stripe: StripeClient) -> None:
    stripe.v1.checkout.sessions.create(order(2000), KEY)
    with pytest.raises(sdk.IdempotencyError, match="same parameters") as refused:
        stripe.v1.checkout.sessions.create(order(3000), KEY)
    assert refused.value.http_status == 400
    assert refusal(refused.value)["type"] == "idempotency_error"


def test_the_same_key_at_another_path_is_an_error(stripe: StripeClient) -> None:
    stripe.v1.checkout.sessions.create(order(), KEY)
    with pytest.raises(sdk.IdempotencyError, match="same endpoint"):
        stripe.v1.accounts.create({"type": "express"}, KEY)


def test_a_refusal_during_execution_is_kept_too(
    stripe: StripeClient, control: StripeControl
) -> None:
    account = seller(stripe, control)
    transfer: Any = {"amount": 500, "currency": "usd", "destination": account}
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.transfers.create(transfer, KEY)
    control.top_up(10_000)
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.transfers.create(transfer, KEY)
    assert refused.value.code == "balance_insufficient"
    headers = refused.value.headers
    assert headers is not None
    assert headers["Idempotent-Replayed"] == "true"
    stripe.v1.transfers.create(transfer, {"idempotency_key": "another"})


def test_a_refusal_of_the_parameters_is_not_kept(stripe: StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.checkout.sessions.create(order() | {"success_url": "shop"}, KEY)
    assert stripe.v1.checkout.sessions.create(order(), KEY).status == "open"


def test_a_500_during_execution_is_the_answer_of_its_key(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.fault("error", path="/v1/checkout/sessions", saved=True)
    for _ in range(2):
        with pytest.raises(sdk.APIError) as failed:
            stripe.v1.checkout.sessions.create(order(), KEY)
        assert failed.value.http_status == 500
    assert stripe.v1.checkout.sessions.list().data == []


def test_a_key_whose_request_is_going_on_is_in_use(control: StripeControl) -> None:
    control.fault("hang", path="/v1/checkout/sessions", seconds=1)
    made: list[str] = []

    def buy() -> None:
        made.append(stripe_client(control).v1.checkout.sessions.create(order(), KEY).id)

    slow = threading.Thread(target=buy)
    slow.start()
    control.wait_for(lambda: control.faults()["on"][0]["struck"] == 1)
    with pytest.raises(sdk.APIError) as refused:
        stripe_client(control).v1.checkout.sessions.create(order(), KEY)
    slow.join()
    assert refused.value.http_status == 409
    assert refusal(refused.value)["code"] == "idempotency_key_in_use"
    assert stripe_client(control).v1.checkout.sessions.create(order(), KEY).id == made[0]


def test_the_sdk_waits_out_a_key_in_use_by_itself(control: StripeControl) -> None:
    control.fault("hang", path="/v1/checkout/sessions", seconds=0.4)
    patient = stripe_client(control, max_network_retries=5)
    made: list[str] = []

    def buy() -> None:
        made.append(patient.v1.checkout.sessions.create(order(), KEY).id)

    buyers = [threading.Thread(target=buy) for _ in range(2)]
    for buyer in buyers:
        buyer.start()
    for buyer in buyers:
        buyer.join()
    assert len(made) == 2
    assert made[0] == made[1]


def test_a_key_is_forgotten_after_24_hours(stripe: StripeClient, control: StripeControl) -> None:
    first = stripe.v1.accounts.create({"type": "express"}, KEY)
    control.advance(24 * 3600 - 1)
    assert stripe.v1.accounts.create({"type": "express"}, KEY).id == first.id
    control.advance(1)
    assert stripe.v1.accounts.create({"type": "express"}, KEY).id != first.id


def test_a_key_of_one_account_means_nothing_to_another(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.top_up(5000)
    account = seller(stripe, control)
    stripe.v1.transfers.create({"amount": 2000, "currency": "usd", "destination": account})
    own = stripe.v1.payouts.create({"amount": 100, "currency": "usd"}, KEY)
    there: Any = KEY | {"stripe_account": account}
    theirs = stripe.v1.payouts.create({"amount": 100, "currency": "usd"}, there)
    assert own.id != theirs.id


def test_a_refund_that_is_asked_for_twice_is_made_once(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    control.fault("lost", method="POST", path="/v1/refunds")
    patient = stripe_client(control, max_network_retries=2)
    patient.v1.refunds.create({"payment_intent": payment.intent, "amount": 700})
    assert stripe.v1.charges.retrieve(payment.charge).amount_refunded == 700
