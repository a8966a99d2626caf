"""What a browser sees: the shopper's page and the account owner's page."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from stripe import StripeClient

from infra.local.stripe.client import StripeControl
from infra.local.stripe.running import running_stripe, stripe_client
from tests.local.stripe.shopping import CANCEL, order, paid, seller


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def page_of(stripe: StripeClient, **more: Any) -> tuple[str, str]:
    session = stripe.v1.checkout.sessions.create(order(**more))
    return session.id, str(session.url)


class Labels(HTMLParser):
    """The ids that labels name, and those of the inputs that a person fills in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.named: set[str | None] = set()
        self.inputs: set[str | None] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "label":
            self.named.add(said.get("for"))
        if tag == "input" and said.get("type") != "hidden":
            self.inputs.add(said.get("id"))


def test_the_page_shows_what_is_bought_and_for_how_much(
    stripe: StripeClient, browser: httpx.Client
) -> None:
    _, url = page_of(stripe)
    answer = browser.get(url)
    assert answer.status_code == 200
    assert "Pay $20.00" in answer.text
    assert "1 × 2000 credits" in answer.text


def test_the_page_can_be_used_with_a_screen_reader(
    stripe: StripeClient, browser: httpx.Client
) -> None:
    _, url = page_of(stripe)
    page = browser.get(url).text
    labels = Labels(page)
    assert '<html lang="en">' in page
    assert page.count("<h1>") == 1
    assert "<main>" in page
    assert labels.inputs == labels.named == {"email"}


def test_paying_leads_back_to_the_shop_with_the_sessions_id(
    stripe: StripeClient, browser: httpx.Client
) -> None:
    name, url = page_of(stripe)
    answer = browser.post(url, data={"action": "pay", "email": "ada@example.com"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"http://shop.test/thanks?session={name}"
    session = stripe.v1.checkout.sessions.retrieve(name)
    assert (session.status, session.payment_status) == ("complete", "paid")
    assert session.customer_details is not None
    assert session.customer_details.email == "ada@example.com"


def test_a_double_click_pays_once(stripe: StripeClient, browser: httpx.Client) -> None:
    _, url = page_of(stripe)
    answers = [browser.post(url, data={"action": "pay"}) for _ in range(2)]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert len(stripe.v1.charges.list().data) == 1


def test_a_declined_card_is_told_and_the_page_stays(
    stripe: StripeClient, browser: httpx.Client
) -> None:
    name, url = page_of(stripe)
    answer = browser.post(url, data={"action": "decline"})
    assert answer.status_code == 402
    assert "<p role=alert>Your card was declined.</p>" in answer.text
    assert "Pay $20.00" in answer.text
    assert stripe.v1.checkout.sessions.retrieve(name).status == "open"


def test_the_shopper_can_go_back(stripe: StripeClient, browser: httpx.Client) -> None:
    _, url = page_of(stripe)
    assert f'<a href="{CANCEL}">Go back to the shop</a>' in browser.get(url).text


def test_an_expired_page_says_so_and_takes_nothing(
    stripe: StripeClient, browser: httpx.Client
) -> None:
    name, url = page_of(stripe)
    stripe.v1.checkout.sessions.expire(name)
    answers = [browser.get(url), browser.post(url, data={"action": "pay"})]
    assert [each.status_code for each in answers] == [410, 410]
    assert stripe.v1.charges.list().data == []


def test_what_the_shop_names_things_cannot_change_the_page(
    stripe: StripeClient, browser: httpx.Client
) -> None:
    price = {"currency": "usd", "unit_amount": 900, "product_data": {"name": "<script>x</script>"}}
    _, url = page_of(stripe, line_items=[{"price_data": price, "quantity": 1}])
    assert "<script>" not in browser.get(url).text


def test_an_unknown_page_is_not_found(control: StripeControl, browser: httpx.Client) -> None:
    assert browser.get(f"{control.url}/c/pay/cs_test_nowhere").status_code == 404


def test_the_receipt_tells_what_was_paid_and_refunded(
    stripe: StripeClient, control: StripeControl, browser: httpx.Client
) -> None:
    payment = paid(stripe, control)
    stripe.v1.refunds.create({"charge": payment.charge, "amount": 500})
    url = stripe.v1.charges.retrieve(payment.charge).receipt_url
    assert "$20.00 paid, $5.00 refunded" in browser.get(str(url)).text


def test_the_pages_are_where_the_browser_is_told_to_look() -> None:
    with running_stripe(public_url="http://localhost:8080/stripe") as control:
        session = stripe_client(control).v1.checkout.sessions.create(order())
        assert str(session.url).startswith("http://localhost:8080/stripe/c/pay/")


def link_for(stripe: StripeClient, account: str) -> str:
    link = stripe.v1.account_links.create(
        {
            "account": account,
            "type": "account_onboarding",
            "refresh_url": "http://studio.test/again",
            "return_url": "http://studio.test/done",
        }
    )
    return link.url


def form_in(page: str) -> dict[str, str]:
    found = re.search(r"name=form value='([^']+)'", page)
    assert found is not None
    return {"form": found[1]}


def test_an_owner_who_gives_everything_can_be_paid(
    stripe: StripeClient, control: StripeControl, browser: httpx.Client
) -> None:
    account = seller(stripe, control, onboarded=False)
    url = link_for(stripe, account)
    answer = browser.post(url, data=form_in(browser.get(url).text))
    assert (answer.status_code, answer.headers["Location"]) == (303, "http://studio.test/done")
    after = stripe.v1.accounts.retrieve(account)
    assert (after.details_submitted, after.payouts_enabled) == (True, True)
    assert after.capabilities is not None
    assert after.capabilities.transfers == "active"


def test_a_link_opens_once(
    stripe: StripeClient, control: StripeControl, browser: httpx.Client
) -> None:
    url = link_for(stripe, seller(stripe, control, onboarded=False))
    assert browser.get(url).status_code == 200
    again = browser.get(url)
    assert (again.status_code, again.headers["Location"]) == (303, "http://studio.test/again")


def test_a_link_is_over_after_five_minutes(
    stripe: StripeClient, control: StripeControl, browser: httpx.Client
) -> None:
    account = seller(stripe, control, onboarded=False)
    url = link_for(stripe, account)
    control.advance(5 * 60)
    assert browser.get(url).headers["Location"] == "http://studio.test/again"


def test_a_form_that_was_never_shown_completes_nothing(
    stripe: StripeClient, control: StripeControl, browser: httpx.Client
) -> None:
    account = seller(stripe, control, onboarded=False)
    url = link_for(stripe, account)
    assert browser.post(url, data={"form": "guessed"}).status_code == 400
    assert not stripe.v1.accounts.retrieve(account).details_submitted
