"""Who may see where a run is, in one statement."""

import uuid

from sqlalchemy import create_engine, text

from tests.world import Caller, World


def test_a_runs_state_is_its_consumers_alone(world: World) -> None:
    model = world.model()
    mine, other = world.consumer(credits_=100), world.consumer()
    execution_id = world.run(mine, model)
    world.ended(mine, execution_id)
    path = f"/api/marketplace/runs/{execution_id}/status"

    seen = mine.ok("GET", path)
    assert (seen["id"], seen["status"]) == (execution_id, "COMPLETED")
    assert seen["outputPayload"]["outputs"][0]["mime"] == "image/png"
    assert other.refused(404, "GET", path)["code"] == "EXECUTION_NOT_FOUND"
    unknown = f"/api/marketplace/runs/{uuid.uuid4()}/status"
    assert mine.refused(404, "GET", unknown)["code"] == "EXECUTION_NOT_FOUND"


def test_whoever_never_registered_or_is_suspended_sees_no_state(
    world: World, database_url: str
) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    execution_id = world.run(consumer, model)
    path = f"/api/marketplace/runs/{execution_id}/status"

    stranger = Caller(world.base, "users:never-registered")
    assert stranger.refused(404, "GET", path)["code"] == "CONSUMER_NOT_FOUND"
    assert Caller(world.base).refused(401, "GET", path)["code"] == "MISSING_TOKEN"
    owner = create_engine(database_url, connect_args={"ssl_context": False})
    with owner.begin() as connection:
        connection.execute(text("UPDATE consumers SET suspended_at = now()"))
    owner.dispose()
    assert consumer.refused(403, "GET", path)["code"] == "ACCOUNT_SUSPENDED"
