"""Credits bought with real money, as a shopper and their bank go about it."""

import threading
import uuid
from typing import Any

from tests.world import Caller, World

CREDITS = "/api/marketplace/credits"


def wallet(consumer: Caller) -> dict[str, Any]:
    found: dict[str, Any] = consumer.ok("GET", CREDITS)
    return found


def heard(world: World, consumer: Caller, **expected: Any) -> dict[str, Any]:
    """The wallet once Stripe's webhooks have made it so."""
    for _ in range(500):
        shown = wallet(consumer)
        if all(shown[name] == value for name, value in expected.items()):
            return shown
        threading.Event().wait(0.02)
    raise AssertionError(f"{shown} instead of {expected}")


def payment_of(world: World, purchase_id: str) -> str:
    rows = world.sql("SELECT payment_intent_id FROM purchases WHERE id = :id", id=purchase_id)
    return str(rows[0][0])


def test_a_shopper_buys_credits_and_runs_a_model_with_them(world: World) -> None:
    consumer, model = world.consumer(), world.model(price=40)
    offered = Caller(world.base).ok("GET", f"{CREDITS}/packages")
    assert [p["priceDisplay"] for p in offered["packages"]] == [
        "$5.00", "$10.00", "$25.00", "$50.00", "$100.00",
    ]  # fmt: skip
    opened = consumer.ok("POST", f"{CREDITS}/purchase", {"amountCents": 500})
    assert (opened["status"], opened["newBalance"], opened["amountPaid"]) == ("pending", 0, 0)
    world.stripe.pay(opened["checkoutUrl"].rpartition("/")[2])
    heard(world, consumer, balance=500)

    world.ended(consumer, world.run(consumer, model))

    assert wallet(consumer)["balance"] == 460
    bought = consumer.ok("GET", f"{CREDITS}/history")
    assert [(b["creditsAmount"], b["amountPaidDisplay"]) for b in bought] == [(500, "$5.00")]
    kinds = [m["kind"] for m in consumer.ok("GET", f"{CREDITS}/statement")]
    assert kinds == ["capture_platform", "capture_developer", "purchase"]
    assert consumer.ok("GET", "/api/marketplace/auth/me")["purchaseCount"] == 1


def test_the_success_page_finds_the_payment_when_the_webhook_is_late(world: World) -> None:
    consumer = world.consumer()
    world.stripe.hold()
    purchase = world.bought(consumer, 1000)
    assert (purchase["status"], purchase["amountPaid"]) == ("paid", 1000)
    assert purchase["receiptUrl"]
    assert wallet(consumer)["balance"] == 1000
    world.stripe.release()
    world.stripe.settle()
    assert wallet(consumer)["balance"] == 1000


def test_a_lost_dispute_takes_what_is_left_and_the_rest_is_owed(world: World) -> None:
    consumer, model = world.consumer(), world.model(price=400)
    purchase = world.bought(consumer, 500)
    world.ended(consumer, world.run(consumer, model))

    dispute = world.stripe.open_dispute(payment_of(world, purchase["id"]))
    shown = heard(world, consumer, frozen=True, balance=0, owed=400)
    assert "disputed" in shown["frozenReason"]
    refused = consumer.refused(
        403, "POST", f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "no"}}
    )
    assert refused["code"] == "WALLET_FROZEN"
    assert "disputed" in refused["message"]

    world.stripe.lose_dispute(dispute["id"])
    world.stripe.settle()
    path = f"{CREDITS}/purchases/{purchase['id']}"
    assert consumer.ok("GET", path)["status"] == "lost"
    me = consumer.ok("GET", "/api/marketplace/auth/me")["id"]
    thawed = {"reason": "the bank has decided", "reference": str(uuid.uuid4())}
    world.staff.ok("POST", f"/api/admin/wallets/{me}/unfreeze", thawed)
    leave = {"confirm": "delete my account", "giveUp": True}
    refused = consumer.refused(409, "POST", "/api/marketplace/account/delete", leave)
    assert refused["code"] == "ACCOUNT_OWES"
    # What is bought next settles the debt first.
    world.bought(consumer, 1000)
    assert (wallet(consumer)["balance"], wallet(consumer)["owed"]) == (600, 0)
    world.ended(consumer, world.run(consumer, model))
    assert wallet(consumer)["balance"] == 200


def test_a_won_dispute_gives_everything_back_and_thaws_the_wallet(world: World) -> None:
    consumer, model = world.consumer(), world.model(price=400)
    purchase = world.bought(consumer, 500)
    world.ended(consumer, world.run(consumer, model))
    dispute = world.stripe.open_dispute(payment_of(world, purchase["id"]))
    heard(world, consumer, owed=400, frozen=True)
    world.stripe.win_dispute(dispute["id"])
    heard(world, consumer, balance=100, owed=0, frozen=False)


def test_staff_refund_what_is_not_spent_and_the_rest_only_by_force(world: World) -> None:
    consumer, model = world.consumer(), world.model(price=400)
    purchase = world.bought(consumer, 500)
    world.ended(consumer, world.run(consumer, model))
    path = f"/api/admin/purchases/{purchase['id']}/refund"
    order: dict[str, Any] = {"reference": str(uuid.uuid4()), "reason": "not as expected"}
    refused = world.staff.refused(409, "POST", path, order)
    assert refused["details"]["availableCredits"] == 100

    part = {**order, "amountCents": 100}
    done = world.staff.ok("POST", path, part)
    assert (done["doneNow"], done["refund"]["status"]) == (True, "succeeded")
    assert not world.staff.ok("POST", path, part)["doneNow"]
    assert (wallet(consumer)["balance"], wallet(consumer)["owed"]) == (0, 0)

    forced = {"reference": str(uuid.uuid4()), "reason": "a lawyer wrote", "force": True}
    assert world.staff.ok("POST", path, forced)["refund"]["amountCents"] == 400
    assert wallet(consumer)["owed"] == 400
    mine = consumer.ok("GET", f"{CREDITS}/purchases/{purchase['id']}")
    assert (mine["status"], [r["amountCents"] for r in mine["refunds"]]) == ("refunded", [100, 400])


def test_a_refund_made_by_hand_at_stripe_is_followed(world: World) -> None:
    consumer = world.consumer()
    purchase = world.bought(consumer, 1000)
    refund = world.stripe.refund(payment_of(world, purchase["id"]), amount=400)
    heard(world, consumer, balance=600)
    world.stripe.fail_refund(refund["id"])
    heard(world, consumer, balance=1000)


def test_a_purchase_that_failed_is_made_by_its_repeat_and_then_only_answered_again(
    world: World,
) -> None:
    consumer, key = world.consumer(), {"Idempotency-Key": '"my purchase"'}
    order, path = {"amountCents": 500}, f"{CREDITS}/purchase"
    world.stripe.fault("error", method="POST", path="/v1/checkout/sessions", next=None)
    refused = consumer.call("POST", path, order, **key)
    assert refused.status_code == 503

    world.stripe.mend()
    made = consumer.call("POST", path, order, **key)
    assert (made.status_code, "Idempotency-Replayed" in made.headers) == (201, False)
    again = consumer.call("POST", path, order, **{"Idempotency-Key": "my purchase"})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["data"] == made.json()["data"]
    other = consumer.refused(422, "POST", path, {"amountCents": 600}, **key)
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert world.sql("SELECT count(*) FROM purchases")[0][0] == 1
