"""Every kind of object of the API, and the routes and lists they bring."""

from __future__ import annotations

from typing import Any

from infra.local.stripe.accounts import Accounts
from infra.local.stripe.checkout import Checkout
from infra.local.stripe.disputes import Disputes
from infra.local.stripe.onboarding import Onboarding
from infra.local.stripe.paging import whole
from infra.local.stripe.payments import Payments
from infra.local.stripe.payouts import Payouts
from infra.local.stripe.refunds import Refunds
from infra.local.stripe.routes import Call, Route, listing, retrieving
from infra.local.stripe.simulator import Simulator
from infra.local.stripe.transfers import Transfers

JSON = dict[str, Any]


class Resources:
    """The parts, made in the order in which they need each other."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator
        self.payments = Payments(simulator)
        self.checkout = Checkout(simulator, self.payments)
        self.refunds = Refunds(simulator, self.payments)
        self.disputes = Disputes(simulator, self.payments)
        self.accounts = Accounts(simulator)
        self.onboarding = Onboarding(simulator, self.accounts)
        self.transfers = Transfers(simulator, self.accounts)
        self.payouts = Payouts(simulator)

    def routes(self) -> list[Route]:
        """The whole API."""
        parts = (
            self.checkout,
            self.payments,
            self.refunds,
            self.disputes,
            self.accounts,
            self.onboarding,
            self.transfers,
            self.payouts,
        )
        return [*(route for part in parts for route in part.routes()), *self._plain_reading()]

    def resume(self) -> None:
        """Take up what an earlier process left, from the store."""
        self._sim.books.resume()
        self.checkout.resume()
        self.payouts.resume()
        self._sim.deliveries.resume()

    def include(self, body: JSON, name: str) -> JSON | None:
        """A list that an object shows only when it is expanded."""
        match body.get("object"), name:
            case "checkout.session", "line_items":
                return self.checkout.lines(body)
            case "charge", "refunds":
                url = f"/v1/charges/{body['id']}/refunds"
                return whole(self.refunds.of_charge(body), url=url)
        return None

    def _plain_reading(self) -> list[Route]:
        sim, movements, events = self._sim, "/v1/balance_transactions", "/v1/events"

        def balance(call: Call) -> JSON:
            return sim.books.balance(call.owner)

        return [
            Route("GET", "/v1/balance", balance),
            listing(sim, movements, "balance_transaction", "created", "currency", "source", "type"),
            retrieving(sim, movements, "balance_transaction"),
            listing(sim, events, "event", "created", "type", "types"),
            retrieving(sim, events, "event"),
        ]
