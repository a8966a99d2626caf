"""Faults, clock, reset, and the stand-in as a process that may be killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe as sdk
from stripe import StripeClient

from infra.local.ports import free_port
from infra.local.stripe.__main__ import parse_arguments
from infra.local.stripe.client import StripeControl
from infra.local.stripe.running import running_stripe, stripe_client
from tests.local.stripe.receiver import Receiver
from tests.local.stripe.shopping import order, paid, seller

ROOT = Path(__file__).parents[3]


def test_a_500_strikes_before_any_effect(stripe: StripeClient, control: StripeControl) -> None:
    control.fault("error", method="POST", path="/v1/checkout/sessions")
    with pytest.raises(sdk.APIError) as failed:
        stripe.v1.checkout.sessions.create(order(), {"idempotency_key": "k"})
    assert failed.value.http_status == 500
    assert stripe.v1.checkout.sessions.list().data == []
    assert stripe.v1.checkout.sessions.create(order(), {"idempotency_key": "k"}).status == "open"


def test_a_lost_answer_strikes_after_the_effect(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.fault("lost", method="POST", path="/v1/checkout/sessions")
    with pytest.raises(sdk.APIConnectionError):
        stripe.v1.checkout.sessions.create(order(), {"idempotency_key": "k"})
    made = stripe.v1.checkout.sessions.list().data
    again = stripe.v1.checkout.sessions.create(order(), {"idempotency_key": "k"})
    assert [each.id for each in made] == [again.id]


def test_too_many_requests_are_told_apart(stripe: StripeClient, control: StripeControl) -> None:
    control.fault("rate_limit", next=2)
    for _ in range(2):
        with pytest.raises(sdk.RateLimitError) as refused:
            stripe.v1.balance.retrieve()
        assert (refused.value.http_status, refused.value.code) == (429, None)
    stripe.v1.balance.retrieve()


@pytest.mark.parametrize("fault", ["hang", "late"])
def test_a_call_can_take_long(stripe: StripeClient, control: StripeControl, fault: str) -> None:
    control.fault(fault, path="/v1/balance", seconds=0.3)
    begun = time.monotonic()
    stripe.v1.balance.retrieve()
    assert time.monotonic() - begun >= 0.3


def test_a_hanging_call_is_done_although_nobody_waits(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.fault("hang", path="/v1/checkout/sessions", method="POST", seconds=0.3)
    impatient = StripeClient(
        control.key,
        base_addresses={"api": control.url},
        http_client=sdk.RequestsClient(timeout=0.1),
        max_network_retries=0,
    )
    with pytest.raises(sdk.APIConnectionError):
        impatient.v1.checkout.sessions.create(order())
    control.wait_for(lambda: len(stripe.v1.checkout.sessions.list().data) == 1)


def test_a_fault_strikes_only_the_calls_it_is_for(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.fault("error", method="GET", path="/v1/charges/*", next=None)
    payment = stripe.v1.checkout.sessions.create(order()).id
    charge = control.pay(payment)
    assert charge["status"] == "complete"
    stripe.v1.charges.list()
    for _ in range(3):
        with pytest.raises(sdk.APIError):
            stripe.v1.charges.retrieve("ch_any")
    assert control.faults()["on"][0]["struck"] == 3
    control.mend("error")
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.charges.retrieve("ch_any")


def test_an_unknown_fault_or_action_is_refused(control: StripeControl) -> None:
    with pytest.raises(ValueError, match="no fault earthquake"):
        control.fault("earthquake")
    with pytest.raises(ValueError, match="No such"):
        control.pay("cs_test_nowhere")
    answer = httpx.post(f"{control.url}/_control/dance", json={}, trust_env=False)
    assert answer.status_code == 400


def test_time_flows_unless_it_is_stopped() -> None:
    with running_stripe() as control:
        before = control.now()
        assert abs(before - time.time()) < 5
        control.advance(3600)
        assert control.now() - before >= 3600
        control.set_clock(manual=True)
        assert control.now() == control.now()


def test_reset_forgets_everything_but_the_receivers(
    stripe: StripeClient, control: StripeControl, shop: Receiver
) -> None:
    paid(stripe, control)
    control.fault("error", next=None)
    control.hold()
    control.reset()
    assert stripe.v1.checkout.sessions.list().data == []
    assert stripe.v1.balance.retrieve().available[0].amount == 0
    assert len(control.receivers()) == 1
    shop.deliveries.clear()
    paid(stripe, control)
    shop.wait_for(4)


def test_a_restart_takes_up_what_was_left(tmp_path: Path, receiver: Receiver) -> None:
    data = tmp_path / "stripe.db"
    with running_stripe(data=data) as control:
        stripe = stripe_client(control)
        control.add_receiver(receiver.url, secrets=["whsec_own"])
        control.set_availability(3600)
        control.hold()
        payment = paid(stripe, control)
        waiting = stripe.v1.checkout.sessions.create(order(), {"idempotency_key": "k"})
        account = seller(stripe, control)
    with running_stripe(data=data) as control:
        stripe = stripe_client(control)
        assert stripe.v1.checkout.sessions.retrieve(payment.session).status == "complete"
        assert stripe.v1.checkout.sessions.create(order(), {"idempotency_key": "k"}).id == (
            waiting.id
        )
        assert stripe.v1.balance.retrieve().pending[0].amount == 1912
        assert stripe.v1.accounts.retrieve(account).payouts_enabled
        assert control.release() == 4
        receiver.wait_for(4)
        control.advance(24 * 3600)
        assert stripe.v1.balance.retrieve().available[0].amount == 1912
        assert stripe.v1.checkout.sessions.retrieve(waiting.id).status == "expired"


@contextlib.contextmanager
def process(port: int, *more: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "infra.local.stripe", "--port", str(port), *more]
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    try:
        assert running.stdout.readline().startswith("Stripe on http://127.0.0.1:")
        yield running
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def test_a_killed_process_comes_back_with_every_answer_it_gave(
    tmp_path: Path, receiver: Receiver
) -> None:
    port = free_port()
    arguments = ["--data", str(tmp_path / "stripe.db"), "--receiver", receiver.url]
    secrets = {"STRIPE_SECRET_KEY": "sk_test_env", "STRIPE_WEBHOOK_SECRET": "whsec_a,whsec_b"}
    url = f"http://127.0.0.1:{port}"
    control = StripeControl(url, key="sk_test_env")
    stripe = stripe_client(control)
    key: Any = {"idempotency_key": "k"}
    with process(port, *arguments, **secrets) as running:
        payment = paid(stripe, control)
        refund = stripe.v1.refunds.create({"charge": payment.charge, "amount": 5}, key)
        running.send_signal(signal.SIGKILL)
        running.wait()
    with process(port, *arguments, **secrets):
        again = stripe.v1.refunds.create({"charge": payment.charge, "amount": 5}, key)
        assert again.id == refund.id
        assert stripe.v1.charges.retrieve(payment.charge).amount_refunded == 5
        assert [each["secrets"] for each in control.receivers()] == [["whsec_a", "whsec_b"]]
        delivery = receiver.wait_for_type("charge.refunded")
        delivery.verified("whsec_a")
        delivery.verified("whsec_b")
    control.close()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--key", "sk_live_real"],
        ["--key", "sk_test_x", "--receiver", "http://127.0.0.1/hook"],
        ["--key", "sk_test_x", "--connect", "http://127.0.0.1/hook"],
    ],
)
def test_a_live_key_or_a_receiver_without_a_secret_is_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("STRIPE_WEBHOOK_SECRET", "STRIPE_CONNECT_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit):
        parse_arguments(arguments)
    assert "error:" in capsys.readouterr().err
