"""Checkout Sessions: opened by the shop, paid on a page of Stripe's, or left to expire."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import quote

from infra.local.stripe.checkout_shapes import CREATE, CUSTOMER, SESSION
from infra.local.stripe.errors import Refused, unmet
from infra.local.stripe.ids import new_id
from infra.local.stripe.paging import list_fields, page, whole
from infra.local.stripe.parameters import Email, Group
from infra.local.stripe.payments import Payments
from infra.local.stripe.routes import Call, Route, listing, merged, retrieving
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
PATH = "/v1/checkout/sessions"
KIND = "checkout.session"
ORDER = "_checkout_order"
"""What a session was opened with and does not show: its lines and its payment_intent_data."""
SHORTEST_SECONDS = 30 * 60
LONGEST_SECONDS = 24 * 3600
LEAST_CENTS = 50
MOST_CENTS = 99_999_999


class Checkout:
    """Sessions of the platform, in mode `payment`."""

    def __init__(self, simulator: Simulator, payments: Payments) -> None:
        self._sim = simulator
        self._payments = payments

    def routes(self) -> list[Route]:
        """Create, read, expire."""
        sessions = listing(self._sim, PATH, KIND, "created", "payment_intent", "status", "customer")
        by_mail = Group(fields={"email": Email(required=True)})
        return [
            Route("POST", PATH, self._create, CREATE),
            Route("GET", PATH, self._list, {**sessions.fields, "customer_details": by_mail}),
            retrieving(self._sim, PATH, KIND, param="session"),
            Route("GET", f"{PATH}/{{id}}/line_items", self._list_lines, list_fields()),
            Route("POST", f"{PATH}/{{id}}/expire", lambda call: self.expire(call.ids["id"])),
        ]

    def resume(self) -> None:
        """Watch the open sessions of an earlier process expire."""
        for session in self._sim.store.every(KIND, owner=PLATFORM):
            self._watch(session)

    def lines(self, session: JSON) -> JSON:
        """The session's line items, as `expand[]=line_items` shows them."""
        rows = self._order(session)["lines"]
        return whole(rows[::-1], url=f"{PATH}/{session['id']}/line_items")

    def pay(self, name: str, *, email: str | None = None) -> JSON:
        """The shopper pays; paying twice charges once. The session.

        Raises:
            Refused: the session has expired, or does not exist.
        """
        session = self._sim.get(KIND, name, param="session")
        if session["status"] == "complete":
            return session
        intent = self._attempt(session)
        email = session["customer_email"] or email or "shopper@example.com"
        self._payments.pay(intent, email=email)
        session |= {
            "customer_details": CUSTOMER | {"email": email, "tax_ids": []},
            "payment_status": "paid",
            "status": "complete",
            "url": None,
        }
        self._sim.events.emit("checkout.session.completed", session)
        return session

    def decline(self, name: str, *, reason: str = "generic_decline") -> JSON:
        """The shopper's card is declined; the session stays open. The failed charge.

        Raises:
            Refused: the session is not open.
        """
        session = self._sim.get(KIND, name, param="session")
        intent = self._attempt(session)
        return self._payments.decline(intent, email=session["customer_email"], reason=reason)

    def expire(self, name: str) -> JSON:
        """Nobody can pay it any more.

        Raises:
            Refused: the session is not open.
        """
        session = self._sim.get(KIND, name, param="session")
        if session["status"] != "open":
            raise Refused(
                'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
                f"Session has a status of {session['status']}."
            )
        session |= {"status": "expired", "url": None}
        self._sim.events.emit("checkout.session.expired", session)
        return session

    def _create(self, call: Call) -> JSON:
        params = call.params
        _check_supported(params)
        name = new_id("cs_test", length=58)
        lines = [_line(each, self._sim.now()) for each in params["line_items"]]
        total = sum(line["amount_total"] for line in lines)
        _check_total(total)
        session = copy.deepcopy(SESSION) | {
            **{field: value for field, value in params.items() if field in SESSION},
            "id": name,
            "amount_subtotal": total,
            "amount_total": total,
            "created": self._sim.now(),
            "expires_at": _expiry(params, self._sim.now()),
            "metadata": merged({}, params.get("metadata", {})),
            "url": f"{self._sim.public_url}/c/pay/{name}",
        }
        self._sim.store.add(session, owner=PLATFORM)
        data = params.get("payment_intent_data", {})
        order = {"object": ORDER, "id": name, "lines": lines, "payment_intent_data": data}
        self._sim.store.add(order, owner=PLATFORM)
        self._watch(session)
        return session

    def _list(self, call: Call) -> JSON:
        params = dict(call.params)
        rows = self._sim.store.every(KIND, owner=call.owner)
        if wanted := params.pop("customer_details", None):
            rows = [
                row
                for row in rows
                if (row["customer_details"] or {}).get("email") == wanted["email"]
            ]
        return page(rows, params, url=PATH, kind=KIND)

    def _list_lines(self, call: Call) -> JSON:
        session = self._sim.get(KIND, call.ids["id"], owner=call.owner, param="session")
        lines = self.lines(session)
        return page(lines["data"][::-1], call.params, url=lines["url"], kind="item")

    def _order(self, session: JSON) -> JSON:
        order = self._sim.store.find(ORDER, session["id"], owner=PLATFORM)
        assert order is not None
        return order

    def _attempt(self, session: JSON) -> JSON:
        """The PaymentIntent of an open session; it comes into being with the first attempt."""
        if session["status"] != "open":
            raise Refused(f"This Checkout Session is {session['status']}.")
        if session["payment_intent"] is None:
            data = self._order(session)["payment_intent_data"]
            metadata = merged({}, data.get("metadata", {}))
            intent = self._payments.open(session["amount_total"], data | {"metadata": metadata})
            session["payment_intent"] = intent["id"]
        return self._sim.get("payment_intent", session["payment_intent"])

    def _watch(self, session: JSON) -> None:
        if session["status"] != "open":
            return
        name, wait = session["id"], session["expires_at"] - self._sim.clock.now()
        self._sim.clock.call_later(max(0.0, wait), lambda: self._expire_if_open(name))

    def _expire_if_open(self, name: str) -> None:
        session = self._sim.store.find(KIND, name, owner=PLATFORM)
        if session is not None and session["status"] == "open":
            self.expire(name)
            self._sim.store.flush()


def success_url(session: JSON) -> str:
    """Where the shopper goes after paying, with the session's id filled in."""
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", quote(session["id"]))


def _line(wanted: JSON, now: int) -> JSON:
    price, quantity = wanted["price_data"], wanted.get("quantity", 1)
    amount = price["unit_amount"] * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": "usd",
        "description": price["product_data"]["name"],
        "metadata": {},
        "price": _price(price, now),
        "quantity": quantity,
    }


def _price(wanted: JSON, now: int) -> JSON:
    return {
        "id": new_id("price"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": now,
        "currency": "usd",
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": new_id("prod", length=14),
        "recurring": None,
        "tax_behavior": wanted.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": wanted["unit_amount"],
        "unit_amount_decimal": str(wanted["unit_amount"]),
    }


def _check_supported(params: JSON) -> None:
    """Refuse what Stripe has and the stand-in has not, rather than do something else."""
    if params["mode"] != "payment":
        raise Refused("The stand-in has mode payment only.", param="mode")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise Refused("The stand-in has ui_mode hosted_page only.", param="ui_mode")
    for place, line in enumerate(params["line_items"]):
        if "price_data" in line and line["price_data"]["currency"].lower() != "usd":
            name = f"line_items[{place}][price_data][currency]"
            raise Refused("The stand-in has currency usd only.", param=name)


def _check_total(total: int) -> None:
    if total < LEAST_CENTS:
        raise unmet(
            "The Checkout Session's total amount due must add up to at least $0.50 usd.",
            "amount_too_small",
            "line_items",
        )
    if total > MOST_CENTS:
        raise unmet(
            "The Checkout Session's total amount due must add up to no more than $999,999.99 usd.",
            "amount_too_large",
            "line_items",
        )


def _expiry(params: JSON, now: int) -> int:
    expires_at: int = params.get("expires_at", now + LONGEST_SECONDS)
    if expires_at < now + SHORTEST_SECONDS:
        raise Refused(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
            param="expires_at",
        )
    if expires_at > now + LONGEST_SECONDS:
        raise Refused(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return expires_at
