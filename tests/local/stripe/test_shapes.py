"""Every object has the fields that Stripe's own examples have, with values of the same kind.

The examples are what tests/specs keeps of Stripe's published fixtures.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from infra.local.stripe.client import StripeControl
from infra.local.stripe.running import running_stripe, stripe_client
from tests.local.stripe.shopping import order, paid, seller
from tests.specs import STRIPE, spec

JSON = dict[str, Any]
EXAMPLES = spec(STRIPE)

# Below these the fields depend on what is being described, and an example shows one case only.
OPEN = {
    "account.capabilities",
    "account.controller",
    "account.external_accounts",
    "account.requirements",
    "charge.refunds",
    "dispute.balance_transactions",
    "event.data",
    "payment_intent.last_payment_error",
    "transfer.reversals",
}
# Fields that come and go: Stripe's reference has them for the case at hand, its example is another
# (a customer's bank account, a refund that succeeded, the platform's own event).
OCCASIONAL = {
    "bank_account.account",
    "bank_account.available_payout_methods",
    "bank_account.customer",
    "bank_account.default_for_currency",
    "bank_account.future_requirements",
    "bank_account.requirements",
    "event.account",
    "refund.failure_balance_transaction",
    "refund.failure_reason",
}


@pytest.fixture(scope="module")
def produced() -> Iterator[dict[str, list[JSON]]]:
    """Objects of every kind, in several states, by kind."""
    with running_stripe(manual_clock=True) as control:
        found: dict[str, list[JSON]] = {kind: [] for kind in EXAMPLES}
        for body in _story(control):
            found[body["object"]].append(body)
        yield found


def _story(control: StripeControl) -> Iterator[JSON]:
    stripe = stripe_client(control)
    still_open = stripe.v1.checkout.sessions.create(order(metadata={"order": "1"}))
    control.decline(still_open.id)
    won, lost = paid(stripe, control), paid(stripe, control)
    stripe.v1.refunds.create({"charge": won.charge, "amount": 500, "metadata": {"a": "b"}})
    control.fail_refund(control.refund(won.charge, amount=100)["id"])
    control.win_dispute(control.open_dispute(won.charge)["id"])
    control.lose_dispute(control.open_dispute(lost.charge)["id"])
    account, fresh = seller(stripe, control), seller(stripe, control, onboarded=False)
    control.top_up(10_000)
    transfer: Any = {"amount": 900, "currency": "usd", "destination": account}
    sent = stripe.v1.transfers.create(transfer).id
    control.reverse_transfer(sent, amount=100)
    control.fail_payout(control.payout(account, amount=300)["id"])
    control.payout(account, amount=300)
    with httpx.Client(base_url=f"{control.url}/v1", trust_env=False) as http:
        http.headers["Authorization"] = f"Bearer {control.key}"
        yield http.get("/balance").json()
        yield _link(http, fresh)
        for account_id in (account, fresh):
            body = http.get(f"/accounts/{account_id}").json()
            yield body
            yield from body["external_accounts"]["data"]
        for path in _lists(still_open.id, sent):
            yield from http.get(path).json()["data"]
        theirs = {"Stripe-Account": account}
        for path in ("/payouts", "/events", "/balance_transactions"):
            yield from http.get(path, headers=theirs).json()["data"]


def _lists(session: str, transfer: str) -> Iterator[str]:
    yield "/charges?limit=100&expand[]=data.refunds"
    yield f"/transfers/{transfer}/reversals"
    yield f"/checkout/sessions/{session}/line_items"
    for path in ("checkout/sessions", "payment_intents", "refunds", "disputes", "transfers"):
        yield f"/{path}?limit=100"
    yield "/events?limit=100"
    yield "/balance_transactions?limit=100"


def _link(http: httpx.Client, account: str) -> JSON:
    form = {
        "account": account,
        "type": "account_onboarding",
        "refresh_url": "http://studio.test/again",
        "return_url": "http://studio.test/done",
    }
    body: JSON = http.post("/account_links", data=form).json()
    return body


def differences(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    """Where the two differ in fields or in kinds of value; null stands for any kind."""
    if ours is None or theirs is None or place in OPEN:
        return
    if type(ours) is not type(theirs):
        yield f"{place} is a {type(ours).__name__}, not a {type(theirs).__name__}"
    elif isinstance(ours, dict) and not place.endswith(".metadata"):
        for name in sorted(ours.keys() ^ theirs.keys()):
            if f"{place}.{name}" in OCCASIONAL:
                continue
            yield f"{place}.{name} is only {'here' if name in ours else 'in the example'}"
        for name in ours.keys() & theirs.keys():
            yield from differences(ours[name], theirs[name], f"{place}.{name}")
    elif isinstance(ours, list) and ours and theirs:
        for each in ours:
            yield from differences(each, theirs[0], f"{place}[]")


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_object_has_the_shape_of_stripes_example(
    kind: str, produced: dict[str, list[JSON]]
) -> None:
    assert produced[kind], f"the story makes no {kind}"
    for body in produced[kind]:
        assert not (found := list(differences(body, EXAMPLES[kind], kind))), found


def test_a_difference_is_found_wherever_it_is() -> None:
    ours = {"a": 1, "b": {"c": True}, "d": [{"e": 1}], "f": None, "metadata": {"x": "y"}}
    theirs = {"a": "1", "b": {"c": 1, "g": 2}, "d": [{"h": 1}], "f": 2, "metadata": {}}
    assert sorted(differences(ours, theirs, "it")) == [
        "it.a is a int, not a str",
        "it.b.c is a bool, not a int",
        "it.b.g is only in the example",
        "it.d[].e is only here",
        "it.d[].h is only in the example",
    ]
