"""Keys, forms, parameters, errors, expansion and paging, as the SDK meets them."""

from typing import Any

import httpx
import pytest
import stripe as sdk
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from infra.local.stripe.running import stripe_client
from tests.local.stripe.shopping import order, paid, refusal


def raw(control: StripeControl, **more: Any) -> httpx.Client:
    headers = {"Authorization": f"Bearer {control.key}"}
    return httpx.Client(base_url=control.url, headers=headers, trust_env=False, **more)


def test_a_wrong_key_is_refused_with_401(control: StripeControl) -> None:
    stranger = stripe_client(control, key="sk_test_somebody_else")
    with pytest.raises(sdk.AuthenticationError) as refused:
        stranger.v1.balance.retrieve()
    assert refused.value.http_status == 401
    assert "sk_test_" in str(refused.value)
    assert "somebody_else" not in str(refused.value)


def test_a_missing_key_is_refused_in_stripes_error_form(control: StripeControl) -> None:
    answer = httpx.get(f"{control.url}/v1/balance", trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"].startswith("req_")


def test_a_key_may_also_come_as_the_user_of_basic_authentication(control: StripeControl) -> None:
    answer = httpx.get(f"{control.url}/v1/balance", auth=(control.key, ""), trust_env=False)
    assert answer.status_code == 200


def test_every_answer_names_its_request_and_the_version(control: StripeControl) -> None:
    with raw(control) as http:
        first = http.get("/v1/balance", headers={"Stripe-Version": "2026-10-28.endive"})
        second = http.get("/v1/balance")
    assert first.headers["Stripe-Version"] == second.headers["Stripe-Version"]
    assert first.headers["Request-Id"] != second.headers["Request-Id"]


def test_an_invalid_version_is_refused(control: StripeControl) -> None:
    with raw(control) as http:
        answer = http.get("/v1/balance", headers={"Stripe-Version": "latest"})
    assert answer.status_code == 400


def test_an_unknown_path_is_not_found(control: StripeControl) -> None:
    with raw(control) as http:
        answer = http.get("/v1/crypto/onramp_sessions")
    assert answer.status_code == 404
    assert "Unrecognized request URL" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"payment_intent_data": {"colour": "red"}}, "payment_intent_data[colour]"),
        (
            {"line_items": [{"quantity": 1, "price_data": {"colour": "red"}}]},
            "line_items[0][price_data][colour]",
        ),
    ],
)
def test_an_unknown_parameter_is_refused_by_its_full_name(
    stripe: StripeClient, change: dict[str, Any], param: str
) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.checkout.sessions.create(order() | change)
    assert (refused.value.code, refused.value.param) == ("parameter_unknown", param)
    assert refused.value.http_status == 400


@pytest.mark.parametrize("name", ["mode", "line_items", "success_url"])
def test_a_required_parameter_is_demanded(stripe: StripeClient, name: str) -> None:
    params = order()
    del params[name]
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.checkout.sessions.create(params)
    assert (refused.value.code, refused.value.param) == ("parameter_missing", name)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"success_url": "shop"}, "url_invalid"),
        ({"customer_email": "nobody"}, "email_invalid"),
        ({"client_reference_id": ""}, "parameter_invalid_empty"),
        ({"expires_at": "soon"}, "parameter_invalid_integer"),
        ({"mode": "gift"}, None),
        ({"client_reference_id": "x" * 201}, None),
        ({"metadata": {"k" * 41: "v"}}, None),
        ({"metadata": {"k": "v" * 501}}, None),
        ({"metadata": {f"k{i}": "v" for i in range(51)}}, None),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(
    stripe: StripeClient, change: dict[str, Any], code: str | None
) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.checkout.sessions.create(order() | change)
    assert refused.value.code == code
    assert str(refused.value.param).startswith(next(iter(change)))


def test_an_object_that_does_not_exist_is_not_found(stripe: StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.payment_intents.retrieve("pi_nowhere")
    assert refused.value.http_status == 404
    assert refused.value.code == "resource_missing"
    assert "No such payment_intent: 'pi_nowhere'" in str(refused.value)


def test_a_body_that_is_not_a_form_is_refused(control: StripeControl) -> None:
    with raw(control) as http:
        answer = http.post("/v1/refunds", json={"charge": "ch_1"})
    assert answer.status_code == 400


def test_ids_expand_to_the_objects_they_name(stripe: StripeClient, control: StripeControl) -> None:
    payment = paid(stripe, control)
    session = stripe.v1.checkout.sessions.retrieve(
        payment.session,
        {"expand": ["line_items", "payment_intent.latest_charge.balance_transaction"]},
    ).to_dict()
    assert session["line_items"]["data"][0]["amount_total"] == 2000
    assert session["payment_intent"]["latest_charge"]["balance_transaction"]["amount"] == 2000


def test_lists_expand_within_their_data(stripe: StripeClient, control: StripeControl) -> None:
    paid(stripe, control)
    charges = stripe.v1.charges.list({"expand": ["data.balance_transaction", "data.refunds"]})
    charge = charges.data[0].to_dict()
    assert charge["balance_transaction"]["object"] == "balance_transaction"
    assert charge["refunds"]["data"] == []


def test_what_is_no_reference_cannot_be_expanded(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    with pytest.raises(sdk.InvalidRequestError, match=r"cannot be expanded \(currency\)"):
        stripe.v1.charges.retrieve(payment.charge, {"expand": ["currency"]})


def test_an_expanded_answer_leaves_the_object_as_it_is(
    stripe: StripeClient, control: StripeControl
) -> None:
    payment = paid(stripe, control)
    stripe.v1.charges.retrieve(payment.charge, {"expand": ["payment_intent"]})
    assert stripe.v1.charges.retrieve(payment.charge).payment_intent == payment.intent


def test_a_list_comes_newest_first_in_pages(stripe: StripeClient, control: StripeControl) -> None:
    made = [paid(stripe, control).charge for _ in range(5)]
    first = stripe.v1.charges.list({"limit": 2})
    assert [each.id for each in first.data] == [made[4], made[3]]
    assert first.has_more
    second = stripe.v1.charges.list({"limit": 3, "starting_after": made[3]})
    assert [each.id for each in second.data] == [made[2], made[1], made[0]]
    assert not second.has_more
    back = stripe.v1.charges.list({"limit": 2, "ending_before": made[0]})
    assert [each.id for each in back.data] == [made[2], made[1]]
    every = stripe.v1.charges.list({"limit": 2}).auto_paging_iter()
    assert [each.id for each in every] == made[::-1]


def test_a_list_has_at_most_100_on_a_page(stripe: StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.charges.list({"limit": 101})
    assert refused.value.param == "limit"


def test_a_cursor_that_names_nothing_is_refused(stripe: StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.charges.list({"starting_after": "ch_nowhere"})
    assert refusal(refused.value)["param"] == "starting_after"


def test_a_list_can_be_narrowed_to_a_time(stripe: StripeClient, control: StripeControl) -> None:
    paid(stripe, control)
    control.advance(100)
    later = int(control.now())
    newer = paid(stripe, control)
    since = stripe.v1.charges.list({"created": {"gte": later}})
    before = stripe.v1.charges.list({"created": {"lt": later}})
    exactly = stripe.v1.charges.list({"created": later})
    assert [each.id for each in since.data] == [newer.charge]
    assert len(before.data) == 1
    assert [each.id for each in exactly.data] == [newer.charge]


def test_a_list_is_narrowed_by_what_its_objects_belong_to(
    stripe: StripeClient, control: StripeControl
) -> None:
    first, second = paid(stripe, control), paid(stripe, control)
    stripe.v1.refunds.create({"charge": first.charge})
    charges = stripe.v1.charges.list({"payment_intent": second.intent})
    refunds = stripe.v1.refunds.list({"charge": first.charge})
    none = stripe.v1.refunds.list({"payment_intent": second.intent})
    movements = stripe.v1.balance_transactions.list({"type": "refund"})
    assert [each.id for each in charges.data] == [second.charge]
    assert (len(refunds.data), len(none.data), len(movements.data)) == (1, 0, 1)


def test_an_unknown_filter_is_refused(stripe: StripeClient) -> None:
    unheard_of: Any = {"colour": "red"}
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.charges.list(unheard_of)
    assert refused.value.code == "parameter_unknown"


def test_an_account_that_is_not_connected_is_out_of_reach(stripe: StripeClient) -> None:
    with pytest.raises(sdk.PermissionError) as refused:
        stripe.v1.balance.retrieve(options={"stripe_account": "acct_strangers"})
    assert refused.value.http_status == 403
