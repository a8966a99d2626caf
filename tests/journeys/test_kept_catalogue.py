"""The catalogue may be a moment old for those who look; never for those who pay."""

import uuid

import pytest

from common.settings import Settings
from tests.world import World


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """So long that within a test nothing grows old by itself."""
    return settings.model_copy(update={"catalogue_seconds": 60})


def test_a_new_price_holds_from_the_very_next_start(world: World) -> None:
    model = world.model(price=10)
    consumer = world.consumer(credits_=100)
    world.ended(consumer, world.run(consumer, model))

    path = f"/api/studio/tars-models/{model.id}"
    model.developer.ok("POST", f"{path}/publish", {"action": "archive"})
    model.developer.ok("PATCH", path, {"priceCredits": 25})
    model.developer.ok("POST", f"{path}/publish", {"action": "publish"})
    run = world.ended(consumer, world.run(consumer, model))

    assert run["priceCredits"] == 25
    assert world.balance(consumer) == 65


def test_an_archived_model_cannot_be_started_from_that_moment_on(world: World) -> None:
    model = world.model(price=10)
    consumer = world.consumer(credits_=100)
    world.ended(consumer, world.run(consumer, model))

    path = f"/api/studio/tars-models/{model.id}/publish"
    model.developer.ok("POST", path, {"action": "archive"})
    error = consumer.refused(
        409, "POST", f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "x"}}
    )

    assert error["code"] == "INVALID_STATUS"
    assert world.balance(consumer) == 90


def test_inputs_that_a_moment_ago_were_refused_are_judged_by_the_present_form(
    world: World,
) -> None:
    model = world.model(price=10, overrides={"lockedInputs": {"prompt": "a lighthouse"}})
    consumer = world.consumer(credits_=100)
    path = f"/api/marketplace/models/{model.slug}/run"
    consumer.refused(422, "POST", path, {"inputs": {"prompt": "mine"}})

    model.developer.ok(
        "PATCH",
        f"/api/studio/tars-models/{model.id}",
        {"configOverrides": {"lockedInputs": {}}},
    )

    run = world.ended(consumer, world.run(consumer, model, prompt="mine"))
    assert run["inputPayload"] == {"prompt": "mine"}


def test_a_page_of_the_catalogue_is_given_out_again_as_it_was(world: World) -> None:
    word = uuid.uuid4().hex
    path = f"/api/marketplace/models?search={word}"
    model, reader = world.model(), world.consumer()
    studio_path = f"/api/studio/tars-models/{model.id}"
    model.developer.ok("PATCH", studio_path, {"description": word})
    assert [item["description"] for item in reader.ok("GET", path)] == [word]

    model.developer.ok("PATCH", studio_path, {"description": "other"})
    assert [item["description"] for item in reader.ok("GET", path)] == [word]
    assert reader.ok("GET", f"{path}&limit=5") == []
