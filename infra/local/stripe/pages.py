"""What a browser sees: the shopper's page, a receipt, and the account owner's page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from aiohttp import web

from infra.local.stripe.checkout import Checkout, success_url
from infra.local.stripe.errors import Refused
from infra.local.stripe.markup import document, dollars, see
from infra.local.stripe.onboarding import Onboarding
from infra.local.stripe.simulator import Simulator

JSON = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Pages:
    """The pages of Checkout and of Connect."""

    def __init__(self, simulator: Simulator, checkout: Checkout, onboarding: Onboarding) -> None:
        self._sim = simulator
        self._checkout = checkout
        self._onboarding = onboarding

    def routes(self) -> list[web.RouteDef]:
        """Every page."""
        shop, owner = "/c/pay/{session}", "/setup/e/{account}/{token}"
        return [
            web.get(shop, self._plainly(self._shop)),
            web.post(shop, self._plainly(self._shopper_decides)),
            web.get("/receipts/{charge}", self._plainly(self._receipt)),
            web.get(owner, self._plainly(self._owner)),
            web.post(owner, self._plainly(self._owner_is_done)),
        ]

    def _plainly(self, handle: Handler) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            try:
                return await handle(request)
            except Refused as refusal:
                return document(
                    "Something is wrong",
                    f"<p role=alert>{escape(str(refusal))}</p>",
                    status=refusal.status,
                )
            finally:
                self._sim.store.flush()

        return answer

    async def _shop(self, request: web.Request) -> web.Response:
        return self._shop_page(self._session(request))

    async def _shopper_decides(self, request: web.Request) -> web.Response:
        session, form = self._session(request), await request.post()
        email = str(form.get("email", "")).strip() or None
        if session["status"] == "expired":
            return self._shop_page(session)
        if form.get("action") == "decline" and session["status"] == "open":
            charge = self._checkout.decline(session["id"])
            return self._shop_page(session, alert=charge["failure_message"], status=402)
        return see(success_url(self._checkout.pay(session["id"], email=email)))

    def _session(self, request: web.Request) -> JSON:
        return self._sim.get("checkout.session", request.match_info["session"], param="session")

    def _shop_page(self, session: JSON, *, alert: str = "", status: int = 200) -> web.Response:
        total = dollars(session["amount_total"])
        back = _link(session["cancel_url"], "Go back to the shop")
        if session["status"] == "expired":
            return document(
                "This page has expired", f"<p>Nothing was charged.</p>{back}", status=410
            )
        if session["status"] == "complete":
            return document(
                "Paid", f"<p>{total} was paid.</p>{_link(success_url(session), 'Go on')}"
            )
        rows = "".join(
            f"<li>{line['quantity']} × {escape(line['description'])}, "
            f"{dollars(line['amount_total'])}</li>"
            for line in self._checkout.lines(session)["data"]
        )
        warning = f"<p role=alert>{escape(alert)}</p>" if alert else ""
        return document(
            f"Pay {total}",
            f"{warning}<ul>{rows}</ul><form method=post>{_email(session)}"
            f"<button name=action value=pay>Pay {total}</button>"
            "<button name=action value=decline class=quiet>Pay with a card that is declined"
            f"</button></form>{back}",
            status=status,
        )

    async def _receipt(self, request: web.Request) -> web.Response:
        charge = self._sim.get("charge", request.match_info["charge"], param="charge")
        refunded = dollars(charge["amount_refunded"])
        return document("Receipt", f"<p>{dollars(charge['amount'])} paid, {refunded} refunded.</p>")

    async def _owner(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        link = self._onboarding.visit(token)
        if link is None:
            return see(self._onboarding.link(token)["refresh_url"])
        return document(
            "Set up your payouts",
            "<p>Stripe would ask for your name, your address and your bank account here.</p>"
            f"<form method=post><input type=hidden name=form value='{escape(link['form'])}'>"
            "<button>I have given everything</button></form>"
            + _link(link["return_url"], "Leave without finishing"),
        )

    async def _owner_is_done(self, request: web.Request) -> web.Response:
        form = str((await request.post()).get("form", ""))
        return see(self._onboarding.complete(request.match_info["token"], form)["return_url"])


def _link(url: str | None, text: str) -> str:
    return f'<p><a href="{escape(url)}">{escape(text)}</a></p>' if url else ""


def _email(session: JSON) -> str:
    if session["customer_email"]:
        return f"<p>Receipt to {escape(session['customer_email'])}</p>"
    return (
        '<label for="email">Email for the receipt</label>'
        '<input id="email" name="email" type="email" autocomplete="email">'
    )
