"""What need not be kept is forgotten by the sweep, and nothing else."""

from datetime import timedelta

from tests.webhooks.receiver import Receiver
from tests.world import World

KEPT = ("events", "deliveries", "delivery_attempts", "webhook_endpoints", "uploads")


def counts(world: World) -> list[int]:
    return [world.sql(f"SELECT count(*) FROM {table}")[0][0] for table in KEPT]


def test_events_webhooks_of_runs_and_uploads_are_kept_for_a_month(
    world: World, receiver: Receiver
) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    owner.ok("POST", "/api/marketplace/uploads", {"contentType": "audio/wav", "bytes": 9})
    path = f"/api/marketplace/models/{model.slug}/run"
    body = {"inputs": {"prompt": "x"}, "webhook": {"url": receiver.url}}
    world.ended(owner, owner.ok("POST", path, body)["executionId"])
    world.tell()
    before = counts(world)
    assert before == [2, 1, 1, 1, 1]  # the run's event, and the developer's of the earning
    world.clock.shift += timedelta(days=5)
    world.scheduled("/sweep")
    assert counts(world) == before
    world.clock.shift += timedelta(days=27)
    world.scheduled("/sweep")
    assert counts(world) == [0, 0, 0, 0, 0]
