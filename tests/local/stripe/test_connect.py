"""Connected accounts, transfers, reversals, payouts and balances."""

from typing import Any

import pytest
import stripe as sdk
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from tests.local.stripe.receiver import Receiver
from tests.local.stripe.shopping import order, paid, refusal, seller


def of(account: str) -> Any:
    return {"stripe_account": account}


def available(stripe: StripeClient, account: str | None = None) -> int:
    options = of(account) if account else None
    return stripe.v1.balance.retrieve(options=options).available[0].amount


def send(stripe: StripeClient, account: str, cents: int, **more: Any) -> str:
    transfer: Any = {"amount": cents, "currency": "usd", "destination": account, **more}
    return stripe.v1.transfers.create(transfer).id


def test_a_new_account_lacks_everything(stripe: StripeClient, control: StripeControl) -> None:
    account = stripe.v1.accounts.create(
        {
            "type": "express",
            "email": "dana@example.com",
            "country": "US",
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"developer": "7"},
        }
    )
    assert (account.type, account.email) == ("express", "dana@example.com")
    assert (account.details_submitted, account.payouts_enabled) == (False, False)
    assert account.capabilities is not None
    assert account.capabilities.transfers == "inactive"
    assert account.requirements is not None
    assert account.requirements.currently_due
    assert stripe.v1.accounts.retrieve(account.id).to_dict() == account.to_dict()


def test_an_account_is_described_by_controller_properties_too(stripe: StripeClient) -> None:
    account = stripe.v1.accounts.create(
        {
            "controller": {
                "fees": {"payer": "application"},
                "losses": {"payments": "application"},
                "stripe_dashboard": {"type": "express"},
            }
        }
    )
    assert account.type == "express"
    assert account.controller is not None
    assert account.controller.losses is not None
    assert account.controller.losses.payments == "application"


def test_type_and_controller_exclude_each_other(stripe: StripeClient) -> None:
    both: Any = {"type": "express", "controller": {"fees": {"payer": "application"}}}
    with pytest.raises(sdk.InvalidRequestError, match="`type` and `controller`"):
        stripe.v1.accounts.create(both)


def test_onboarding_is_told_to_the_connect_receiver(
    stripe: StripeClient, control: StripeControl, shop: Receiver, receiver: Receiver
) -> None:
    control.add_receiver(receiver.url + "/connect", secrets=["whsec_connect"], connect=True)
    account = seller(stripe, control)
    event = receiver.wait_for_type("account.updated").verified("whsec_connect")
    assert event.account == account
    told = event.data.object
    assert told["payouts_enabled"] is True
    assert event.data.previous_attributes is not None
    assert event.data.previous_attributes["payouts_enabled"] is False


def test_an_account_link_lives_five_minutes(stripe: StripeClient, control: StripeControl) -> None:
    account = seller(stripe, control, onboarded=False)
    link = stripe.v1.account_links.create(
        {
            "account": account,
            "type": "account_onboarding",
            "refresh_url": "http://studio.test/again",
            "return_url": "http://studio.test/done",
        }
    )
    assert link.expires_at == int(control.now()) + 300
    assert account in link.url


def test_a_link_for_nobody_is_refused(stripe: StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.account_links.create(
            {
                "account": "acct_nowhere",
                "type": "account_onboarding",
                "refresh_url": "http://studio.test/again",
                "return_url": "http://studio.test/done",
            }
        )
    assert (refused.value.code, refused.value.param) == ("resource_missing", "account")


def test_a_transfer_moves_money_from_the_platform_to_the_account(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.top_up(10_000)
    account = seller(stripe, control)
    name = send(stripe, account, 7000, transfer_group="payout-1", metadata={"payout": "1"})
    transfer = stripe.v1.transfers.retrieve(name)
    movement = stripe.v1.balance_transactions.retrieve(str(transfer.balance_transaction))
    assert (transfer.destination, transfer.transfer_group) == (account, "payout-1")
    assert transfer.metadata.to_dict() == {"payout": "1"}
    assert (movement.type, movement.amount) == ("transfer", -7000)
    assert (available(stripe), available(stripe, account)) == (3000, 7000)
    found = stripe.v1.transfers.list({"transfer_group": "payout-1"}).data
    assert [each.id for each in found] == [name]
    assert stripe.v1.transfers.list({"transfer_group": "payout-2"}).data == []
    assert [each.id for each in stripe.v1.transfers.list({"destination": account}).data] == [name]
    assert control.events()[-1]["type"] == "transfer.created"


def test_a_transfer_beyond_the_balance_is_refused(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.top_up(100)
    account = seller(stripe, control)
    with pytest.raises(sdk.InvalidRequestError) as refused:
        send(stripe, account, 101)
    assert (refused.value.code, refused.value.http_status) == ("balance_insufficient", 400)
    send(stripe, account, 100)


def test_an_account_without_the_capability_receives_nothing(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.top_up(1000)
    fresh, restricted = seller(stripe, control, onboarded=False), seller(stripe, control)
    control.restrict(restricted)
    for account in (fresh, restricted):
        with pytest.raises(sdk.InvalidRequestError) as refused:
            send(stripe, account, 100)
        assert refused.value.code == "insufficient_capabilities_for_transfer"


def test_a_transfer_to_nobody_is_refused(stripe: StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        send(stripe, "acct_nowhere", 100)
    assert (refused.value.code, refused.value.param) == ("resource_missing", "destination")


def test_what_the_stand_in_cannot_do_in_an_accounts_name_it_refuses(
    stripe: StripeClient, control: StripeControl
) -> None:
    account = seller(stripe, control)
    with pytest.raises(sdk.InvalidRequestError, match="for the platform only"):
        stripe.v1.checkout.sessions.create(order(), of(account))


def test_a_transfer_is_reversed_in_parts_up_to_what_it_was(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.top_up(1000)
    account = seller(stripe, control)
    name = send(stripe, account, 1000)
    stripe.v1.transfers.reversals.create(name, {"amount": 400})
    with pytest.raises(sdk.InvalidRequestError, match="greater than unreversed"):
        stripe.v1.transfers.reversals.create(name, {"amount": 601})
    control.reverse_transfer(name)
    with pytest.raises(sdk.InvalidRequestError, match="already fully reversed"):
        stripe.v1.transfers.reversals.create(name)
    transfer = stripe.v1.transfers.retrieve(name)
    assert (transfer.amount_reversed, transfer.reversed) == (1000, True)
    assert len(transfer.reversals.data) == 2
    assert (available(stripe), available(stripe, account)) == (1000, 0)
    back = stripe.v1.balance_transactions.list({"type": "transfer_refund"}).data
    assert [each.amount for each in back] == [600, 400]
    reversals = stripe.v1.transfers.reversals.list(name).data
    same = stripe.v1.transfers.reversals.retrieve(name, reversals[0].id)
    assert same.amount == 600
    assert control.events()[-1]["type"] == "transfer.reversed"


def test_what_was_paid_out_cannot_be_reversed(stripe: StripeClient, control: StripeControl) -> None:
    control.top_up(1000)
    account = seller(stripe, control)
    name = send(stripe, account, 1000)
    control.payout(account)
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.transfers.reversals.create(name)
    assert refused.value.code == "balance_insufficient"


def test_a_payout_arrives_after_two_days(stripe: StripeClient, control: StripeControl) -> None:
    control.top_up(1000)
    account = seller(stripe, control)
    send(stripe, account, 1000)
    name = control.payout(account)["id"]
    assert stripe.v1.payouts.retrieve(name, options=of(account)).status == "in_transit"
    assert available(stripe, account) == 0
    control.advance(2 * 24 * 3600)
    assert stripe.v1.payouts.retrieve(name, options=of(account)).status == "paid"
    event = control.events(account=account)[-1]
    assert (event["type"], event["account"]) == ("payout.paid", account)


def test_a_payout_fails_even_after_it_was_paid(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.top_up(1000)
    account = seller(stripe, control)
    send(stripe, account, 1000)
    name = control.payout(account)["id"]
    control.pay_payout(name)
    control.fail_payout(name, code="no_account")
    payout = stripe.v1.payouts.retrieve(name, options=of(account))
    assert (payout.status, payout.failure_code) == ("failed", "no_account")
    assert available(stripe, account) == 1000
    types = [each["type"] for each in control.events(account=account)]
    assert types[-3:] == ["payout.created", "payout.paid", "payout.failed"]
    assert [each.id for each in stripe.v1.payouts.list(options=of(account)).data] == [name]
    with pytest.raises(ValueError, match="failed already"):
        control.fail_payout(name)


def test_a_restricted_account_is_paid_nothing_out(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.top_up(1000)
    account = seller(stripe, control)
    send(stripe, account, 1000)
    control.restrict(account)
    with pytest.raises(ValueError, match="payouts disabled"):
        control.payout(account)


def test_an_account_whose_owner_shuts_the_platform_out_is_out_of_reach(
    stripe: StripeClient, control: StripeControl, receiver: Receiver
) -> None:
    control.add_receiver(receiver.url + "/connect", secrets=["whsec_connect"], connect=True)
    control.top_up(1000)
    account = seller(stripe, control)
    control.deauthorize(account)
    event = receiver.wait_for_type("account.application.deauthorized").verified("whsec_connect")
    assert (event.account, event.data.object["object"]) == (account, "application")
    with pytest.raises(sdk.PermissionError) as refused:
        stripe.v1.accounts.retrieve(account)
    assert refusal(refused.value)["code"] == "account_invalid"
    with pytest.raises(sdk.InvalidRequestError) as unsent:
        send(stripe, account, 100)
    assert (unsent.value.code, unsent.value.param) == ("resource_missing", "destination")


def test_takings_stay_pending_for_as_long_as_told(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.set_availability(7 * 24 * 3600)
    payment = paid(stripe, control)
    before = stripe.v1.balance.retrieve()
    control.advance(7 * 24 * 3600)
    after = stripe.v1.balance.retrieve()
    assert (before.available[0].amount, before.pending[0].amount) == (0, 1912)
    assert (after.available[0].amount, after.pending[0].amount) == (1912, 0)
    charge = stripe.v1.charges.retrieve(payment.charge, {"expand": ["balance_transaction"]})
    assert charge.to_dict()["balance_transaction"]["status"] == "available"


def test_the_balance_is_the_sum_of_its_transactions(
    stripe: StripeClient, control: StripeControl
) -> None:
    control.top_up(5000)
    account = seller(stripe, control)
    payments = [paid(stripe, control) for _ in range(3)]
    stripe.v1.refunds.create({"charge": payments[0].charge, "amount": 700})
    control.win_dispute(control.open_dispute(payments[1].charge)["id"])
    control.reverse_transfer(send(stripe, account, 900), amount=300)
    movements = stripe.v1.balance_transactions.list({"limit": 100}).data
    assert sum(each.net for each in movements) == available(stripe)
    assert {each.type for each in movements} == {
        "adjustment",
        "charge",
        "refund",
        "topup",
        "transfer",
        "transfer_refund",
    }
