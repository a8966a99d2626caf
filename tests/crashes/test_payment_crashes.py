"""Each point of buying, refunding and paying out dies in each way once; afterwards our books and
Stripe's agree to the cent and nothing is left open."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import requests

from common.analytics.service import GPU_TIME
from common.payments.service import days_apart
from common.settings import Settings
from infra.local.runpod.client import SimulatorClient
from infra.local.storage.running import RunningStorage
from infra.local.stripe.client import StripeControl
from infra.local.tasks.running import RunningTasks
from tests.crashes.points import (
    PAYMENTS,
    PointedDatabase,
    PointedGateway,
    Points,
    modes_at,
    static_points,
)
from tests.world import Caller, Crash, Model, World, world_of
from tests.world_fixtures import (
    world_base,
    world_simulator,
    world_storage,
    world_stripe,
    world_tasks,
)

__all__ = ["world_base", "world_simulator", "world_storage", "world_stripe", "world_tasks"]
CREDITS, PAYOUTS = "/api/marketplace/credits", "/api/studio/payouts"
PRICE = 1000
DAY = 86_400
TRIES = 3


@dataclass
class Stage:
    """A world whose points are watched, a shopper, and a developer with something to be paid."""

    world: World
    points: Points
    shopper: Caller
    model: Model
    key: str = ""

    @property
    def stripe(self) -> StripeControl:
        return self.world.stripe

    def ask(self, caller: Caller, method: str, path: str, body: Any = None) -> Any:
        """A request, repeated with its key by whoever got no good answer; None if none came."""
        for _ in range(TRIES):
            with suppress(requests.ConnectionError):
                key = f"{self.key} {method} {path}"
                answer = caller.call(method, path, body, **{"Idempotency-Key": key})
                if answer.ok:
                    return answer.json()["data"]
                if answer.status_code < 500:
                    return None
        return None

    def scheduled(self, path: str) -> None:
        with suppress(Crash, Exception):  # the scheduler comes again
            self.world.scheduled(path)

    def bought(self, cents: int = 1000) -> str | None:
        """A purchase that was paid at Stripe; its id, if anybody got to know it."""
        opened = self.ask(self.shopper, "POST", f"{CREDITS}/purchase", {"amountCents": cents})
        if opened is None or opened["checkoutUrl"] is None:
            return None
        self.stripe.pay(opened["checkoutUrl"].rpartition("/")[2])
        self.ask(self.shopper, "GET", f"{CREDITS}/purchases/{opened['id']}")
        self.stripe.settle()
        return str(opened["id"])

    def payment(self, purchase_id: str | None) -> str | None:
        rows = self.world.sql(
            "SELECT payment_intent_id FROM purchases WHERE id::text = :id", id=purchase_id or ""
        )
        return rows[0][0] if rows else None

    def pass_time(self, seconds: float) -> None:
        self.world.clock.shift += timedelta(seconds=seconds)


def buys(stage: Stage) -> None:
    stage.bought()
    for path in ("", "/packages", "/history", "/statement", "/charges"):
        stage.ask(stage.shopper, "GET", f"{CREDITS}{path}")
    stage.ask(stage.shopper, "POST", f"/api/marketplace/models/{stage.model.slug}/quote", {})


def pays_long_after_the_page_was_opened(stage: Stage) -> None:
    opened = stage.ask(stage.shopper, "POST", f"{CREDITS}/purchase", {"amountCents": 700})
    stage.pass_time(300)
    stage.scheduled("/payments")
    if opened:
        stage.stripe.hold()
        stage.stripe.pay(opened["checkoutUrl"].rpartition("/")[2])
        stage.pass_time(600)
        stage.scheduled("/payments")
        stage.stripe.release()
        stage.stripe.settle()


def never_reaches_the_page(stage: Stage) -> None:
    stage.stripe.fault("error", method="POST", path="/v1/checkout/sessions", next=2 * TRIES)
    stage.ask(stage.shopper, "POST", f"{CREDITS}/purchase", {"amountCents": 800})
    stage.stripe.mend()
    stage.pass_time(2 * DAY)
    stage.scheduled("/payments")


def is_refunded(stage: Stage) -> None:
    if purchase_id := stage.bought():
        order = {"reference": stage.key, "reason": "not wanted", "amountCents": 600}
        stage.ask(stage.world.staff, "POST", f"/api/admin/purchases/{purchase_id}/refund", order)
        if payment := stage.payment(purchase_id):
            stage.stripe.refund(payment, amount=100)
            stage.stripe.settle()


def is_refused_a_refund(stage: Stage) -> None:
    """Stripe does not refund what is disputed."""
    purchase_id = stage.bought()
    if payment := stage.payment(purchase_id):
        stage.stripe.hold()
        dispute = stage.stripe.open_dispute(payment)
        order = {"reference": stage.key, "reason": "not wanted", "force": True}
        stage.ask(stage.world.staff, "POST", f"/api/admin/purchases/{purchase_id}/refund", order)
        stage.stripe.release()
        stage.stripe.settle()
        stage.stripe.win_dispute(dispute["id"])
        stage.stripe.settle()


def is_told_of_what_does_not_concern_us(stage: Stage) -> None:
    stage.stripe.top_up(1000)
    account = connected(stage)
    if account:
        stage.stripe.restrict(account)
        stage.stripe.settle()
        stage.stripe.onboard(account)
        stage.stripe.settle()


def is_paid_out(stage: Stage) -> None:
    if not connected(stage):
        return
    earn(stage)
    stage.stripe.top_up(100_000)
    payout = stage.ask(stage.model.developer, "POST", f"{PAYOUTS}/request", {})
    for path in ("/api/studio/earnings", "/api/studio/earnings/history",
                 "/api/studio/earnings/breakdown", PAYOUTS):  # fmt: skip
        stage.ask(stage.model.developer, "GET", path)
    if payout and payout["stripeTransferId"]:
        stage.stripe.reverse_transfer(payout["stripeTransferId"], amount=200)
        stage.stripe.settle()


def is_refused_a_payout(stage: Stage) -> None:
    account = connected(stage)
    if not account:
        return
    earn(stage)
    stage.stripe.hold()
    stage.stripe.restrict(account)
    stage.ask(stage.model.developer, "POST", f"{PAYOUTS}/request", {})
    stage.stripe.onboard(account)
    stage.stripe.release()
    stage.stripe.settle()


def is_paid_out_in_the_dark(stage: Stage) -> None:
    """Stripe's answer is lost for a day and more."""
    if not connected(stage):
        return
    earn(stage)
    stage.stripe.top_up(100_000)
    stage.stripe.fault("lost", method="POST", path="/v1/transfers", next=2)
    stage.ask(stage.model.developer, "POST", f"{PAYOUTS}/request", {})
    stage.stripe.mend()
    stage.pass_time(2 * DAY)
    stage.scheduled("/reconcile")
    stage.scheduled("/payments")


def is_reconciled(stage: Stage) -> None:
    stage.stripe.hold()
    opened = stage.ask(stage.shopper, "POST", f"{CREDITS}/purchase", {"amountCents": 900})
    if opened:
        stage.stripe.pay(opened["checkoutUrl"].rpartition("/")[2])
    stage.stripe.drop_held()
    stage.stripe.release()
    stage.scheduled("/reconcile")
    stage.ask(stage.world.staff, "GET", "/api/admin/differences")
    order = {"reference": str(uuid.uuid4()), "reason": "was put right"}
    one = "00000000-0000-0000-0000-000000000001"
    stage.ask(stage.world.staff, "POST", f"/api/admin/differences/{one}/close", order)


def is_checked_by_the_hour(stage: Stage) -> None:
    stage.scheduled("/audit")
    with suppress(Crash, Exception):  # asked before bills are compared
        days_apart(stage.world.runtime, GPU_TIME, stage.world.clock.now().date())


def is_put_right_by_staff(stage: Stage) -> None:
    me = stage.shopper.ok("GET", "/api/marketplace/auth/me")["id"]
    for action, sign in (("freeze", 1), ("unfreeze", -1)):
        order = {"reference": str(uuid.uuid4()), "reason": "a look at it"}
        stage.ask(stage.world.staff, "POST", f"/api/admin/wallets/{me}/{action}", order)
        more = {**order, "reference": str(uuid.uuid4()), "consumerId": me, "credits": sign}
        stage.ask(stage.world.staff, "POST", "/api/admin/credits/adjustments", more)
    terms = {"clearingDays": 7, "minimumPayoutCents": 500}
    stage.ask(stage.world.staff, "PUT", "/api/admin/earnings/terms", terms)
    window = {"packages": [{"priceCents": 500}], "leastCents": 500, "mostCents": 50_000}
    stage.ask(stage.world.staff, "PUT", "/api/admin/credits/packages", window)
    for path in ("/api/admin/actions", "/api/admin/margins"):
        stage.ask(stage.world.staff, "GET", path)


def connected(stage: Stage) -> str | None:
    developer = stage.model.developer
    stage.ask(developer, "POST", f"{PAYOUTS}/connect-stripe", {"country": "US"})
    rows = stage.world.sql("SELECT account_id FROM payout_accounts")
    if not rows:
        return None
    stage.ask(developer, "GET", f"{PAYOUTS}/account")
    stage.stripe.onboard(rows[0][0])
    stage.stripe.settle()
    stage.ask(developer, "GET", f"{PAYOUTS}/account")
    return str(rows[0][0])


def earn(stage: Stage) -> None:
    """One run of 1,000 credits, cleared; its own points belong to another matrix."""
    armed = stage.points.disarmed()
    consumer = stage.world.consumer(credits_=PRICE)
    stage.world.ended(consumer, stage.world.run(consumer, stage.model))
    stage.pass_time(8 * DAY)
    stage.points.rearm(armed)


SCENARIOS: tuple[Callable[[Stage], None], ...] = (
    buys,
    pays_long_after_the_page_was_opened,
    never_reaches_the_page,
    is_refunded,
    is_refused_a_refund,
    is_told_of_what_does_not_concern_us,
    is_paid_out,
    is_refused_a_payout,
    is_paid_out_in_the_dark,
    is_reconciled,
    is_checked_by_the_hour,
    is_put_right_by_staff,
)


@pytest.fixture
def stage(
    settings: Settings,
    *,
    world_simulator: SimulatorClient,
    world_tasks: RunningTasks,
    world_storage: RunningStorage,
    world_stripe: StripeControl,
    world_base: str,
) -> Iterator[Stage]:
    with world_of(
        settings,
        simulator=world_simulator,
        task_queue=world_tasks,
        storage=world_storage,
        stripe=world_stripe,
        base=world_base,
    ) as world:
        points = Points()
        model, shopper = world.model(price=PRICE), world.consumer()
        terms = {"clearingDays": 7, "minimumPayoutCents": 500}
        world.staff.ok("PUT", "/api/admin/earnings/terms", terms)
        parts = world.runtime.__dict__
        parts["stripe"] = PointedGateway("stripe", world.runtime.stripe, points)
        plain = world.runtime.db
        parts["db"] = PointedDatabase(world.settings, points)
        yield Stage(world, points, shopper, model)
        plain.dispose()


def play(stage: Stage, scenario: Callable[[Stage], None]) -> list[str]:
    """One scenario from a calm start; answers the points of payments that it passed.

    Stripe's clock stands where it stood: ours goes back to it, or after a month of scenarios the
    reconciliation would not read as far back as Stripe lives.
    """
    stage.world.clock.shift = timedelta()
    stage.key = str(uuid.uuid4())
    first = len(stage.points.passed)
    scenario(stage)
    return stage.points.passed[first:]


def recover(stage: Stage) -> None:
    """An hour of the scheduler's minutes, Stripe's repeats, and a reconciliation."""
    stage.points.disarm()
    stage.stripe.mend()
    stage.stripe.release()
    stage.stripe.settle()
    for minutes in (3, 5, 60):
        stage.pass_time(minutes * 60)
        stage.world.scheduled("/payments")
    stage.world.scheduled("/reconcile")


OPEN = """
  SELECT 'refund', id FROM purchase_refunds WHERE status = 'requested'
  UNION ALL SELECT 'payout', id FROM payouts WHERE status IN ('pending', 'processing')
  UNION ALL SELECT 'difference in ' || kind || ': ' || what, NULL
              FROM reconciliation_differences WHERE cleared_at IS NULL
"""


def audit(stage: Stage, what: str) -> None:
    """Nothing open, and our books say what Stripe's say."""
    assert stage.world.sql(OPEN) == [], what
    assert stage.world.violations() == [], what


@pytest.mark.timeout(300)
def test_every_point_of_payments_is_passed_by_some_scenario(stage: Stage) -> None:
    for scenario in SCENARIOS:
        play(stage, scenario)
        recover(stage)
        audit(stage, scenario.__name__)
    missing = static_points(PAYMENTS) - set(stage.points.passed)
    assert missing == set()


def striking(points: list[str]) -> list[str]:
    """The steps and outside calls of payments: a read that dies has changed nothing."""
    ours = static_points(PAYMENTS)
    return [
        each for each in dict.fromkeys(points) if each in ours and not each.startswith("commit")
    ]


@pytest.mark.timeout(600)
def test_money_survives_a_fault_at_each_point_of_payments(stage: Stage) -> None:
    """Each point is struck in the first scenario that passes it."""
    struck: set[str] = set()
    for scenario in SCENARIOS:
        passed = [point for point in striking(play(stage, scenario)) if point not in struck]
        recover(stage)
        for point in passed:
            struck.add(point)
            for mode in modes_at(point):
                stage.points.arm(point, mode)
                play(stage, scenario)
                recover(stage)
                audit(stage, f"{mode} at {point} while one {scenario.__name__}")
    assert len(struck) >= 30
