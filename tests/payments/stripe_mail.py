"""Stripe's webhooks in the test's own hands: what it sends, when, how often, signed by whom."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests

from common.runtime import Runtime, install
from tests.world import STRIPE_SECRET, Caller, World, WorldRuntime

CREDITS = "/api/marketplace/credits"
HOOK = "/api/webhooks/stripe"


def post(
    world: World,
    payload: str,
    signature: str | None,
    *,
    path: str = "",
) -> requests.Response:
    """Brings these bytes to our door with that signature."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if signature is not None:
        headers["Stripe-Signature"] = signature
    return requests.post(
        f"{world.base}{HOOK}{path}", data=payload.encode(), headers=headers, timeout=60
    )


def bring(
    world: World,
    event: dict[str, Any],
    *,
    secret: str = STRIPE_SECRET,
    path: str = "",
    timestamp: int | None = None,
) -> requests.Response:
    """Brings an event, signed; now unless said otherwise."""
    payload = json.dumps(event)
    signature = world.stripe.sign(payload, secret=secret, timestamp=timestamp)
    return post(world, payload, signature, path=path)


def effect(response: requests.Response) -> str:
    """What an event that was taken did."""
    assert response.status_code == 200, response.text
    return str(response.json()["data"]["effect"])


def refused(response: requests.Response, status: int) -> str:
    """The code of an event that was not taken."""
    assert response.status_code == status, response.text
    return str(response.json()["error"]["code"])


def event_of(world: World, kind: str, *, account: str | None = None) -> dict[str, Any]:
    """The newest event of that type."""
    found = [each for each in world.stripe.events(account=account) if each["type"] == kind]
    assert found, f"no {kind} among {[e['type'] for e in world.stripe.events(account=account)]}"
    return found[-1]


@dataclass
class Shopper:
    """Someone with an order of 1,000 cents, while Stripe's own deliveries are held back."""

    world: World
    caller: Caller
    purchase: str
    session: str

    def pay(self) -> str:
        """Pays; answers Stripe's id of the payment."""
        return str(self.world.stripe.pay(self.session)["payment_intent"])

    @property
    def wallet(self) -> tuple[int, int, bool]:
        """Credits, debt, frozen."""
        shown = self.caller.ok("GET", CREDITS)
        return shown["balance"], shown["owed"], shown["frozen"]

    @property
    def movements(self) -> list[tuple[str, float]]:
        """The statement, oldest first."""
        shown = self.caller.ok("GET", f"{CREDITS}/statement?limit=100")
        return [(each["kind"], each["credits"]) for each in reversed(shown)]

    @property
    def status(self) -> str:
        """The order's, by our own books: nobody asks Stripe here."""
        query = "SELECT status FROM purchases WHERE id = :id"
        return str(self.world.sql(query, id=self.purchase)[0][0])


def shopper(world: World, cents: int = 1000) -> Shopper:
    """Opens an order; nothing that Stripe sends arrives by itself any more."""
    world.stripe.hold()
    caller = world.consumer()
    opened = caller.ok("POST", f"{CREDITS}/purchase", {"amountCents": cents})
    return Shopper(world, caller, opened["id"], opened["checkoutUrl"].rpartition("/")[2])


def seller(world: World) -> tuple[Caller, str]:
    """A developer with 7,000 cents that are due and an account at Stripe, not yet completed."""
    world.stripe.hold()
    model, consumer = world.model(price=1000), world.consumer(credits_=10_000)
    for _ in range(10):
        world.ended(consumer, world.run(consumer, model))
    model.developer.ok("POST", "/api/studio/payouts/connect-stripe", {"country": "US"})
    ((account,),) = world.sql("SELECT account_id FROM payout_accounts")
    world.clock.shift += timedelta(days=8)
    return model.developer, str(account)


def paid_out(world: World) -> tuple[Caller, dict[str, Any]]:
    """A developer who was paid 7,000 cents, and that payout."""
    developer, account = seller(world)
    world.stripe.onboard(account)
    assert developer.ok("GET", "/api/studio/payouts/account")["payoutsEnabled"]
    world.stripe.top_up(1_000_000)
    payout = developer.ok("POST", "/api/studio/payouts/request", {})
    assert payout["status"] == "completed"
    return developer, payout


@contextmanager
def configured(world: World, **changes: Any) -> Iterator[Runtime]:
    """The installation as another configuration starts it."""
    other = WorldRuntime(world.runtime.settings.model_copy(update=changes), world.clock)
    install(other)
    try:
        yield other
    finally:
        install(world.runtime)
        other.db.dispose()


def reference(**more: Any) -> dict[str, Any]:
    """A deed of staff's, with a reference of its own."""
    return {"reference": str(uuid.uuid4()), "reason": "a test"} | more
