"""What a developer hides, a worker that repeats its inputs does not reveal."""

from typing import Any

from tests.world import SDXL_OUTPUT, SDXL_OUTPUT_PIXEL, Model, World

SECRET_STEPS = 37
OVERRIDES: dict[str, Any] = {
    "lockedInputs": {"num_inference_steps": SECRET_STEPS, "seed": 4242},
    "hiddenFields": ["num_inference_steps", "seed"],
}


def test_a_worker_that_repeats_a_hidden_seed_does_not_reveal_it(world: World) -> None:
    model = world.model(overrides=OVERRIDES)
    world.simulator.behave(
        model.endpoint_id, {"mode": "instant", "output": SDXL_OUTPUT | {"seed": 4242}}
    )
    consumer = world.consumer(credits_=100)

    run = world.ended(consumer, world.run(consumer, model))

    assert run["status"] == "COMPLETED"
    assert world.jobs(model)[0]["input"]["seed"] == 4242
    assert "seed" not in run["outputPayload"]
    assert "4242" not in str({**run, "id": "", "outputPayload": _without_urls(run)})


def test_a_worker_of_any_kind_that_repeats_hidden_fields_does_not_reveal_them(
    world: World,
) -> None:
    model = world.model(overrides=OVERRIDES, outputAdapter="generic")
    world.simulator.behave(model.endpoint_id, {"mode": "instant", "output": _echo()})
    consumer = world.consumer(credits_=100)

    run = world.ended(consumer, world.run(consumer, model))

    assert run["outputPayload"]["meta"] == {"width": 1024}
    assert "num_inference_steps" not in str(run["outputPayload"])


def test_fields_stay_hidden_for_a_run_that_started_before_they_were_shown(world: World) -> None:
    model = world.model(overrides=OVERRIDES, outputAdapter="generic")
    world.simulator.behave(
        model.endpoint_id, {"mode": "script", "run_ms": 10_000, "output": _echo()}
    )
    consumer = world.consumer(credits_=100)
    execution_id = world.run(consumer, model)

    _show_everything(model)
    world.advance(15)

    run = world.ended(consumer, execution_id)
    assert run["outputPayload"]["meta"] == {"width": 1024}


def _echo() -> dict[str, Any]:
    repeated = {"width": 1024, "num_inference_steps": SECRET_STEPS, "seed": 4242}
    return {"image": SDXL_OUTPUT_PIXEL, "meta": repeated}


def _show_everything(model: Model) -> None:
    path = f"/api/studio/tars-models/{model.id}"
    model.developer.ok("POST", f"{path}/publish", {"action": "archive"})
    model.developer.ok("PATCH", path, {"configOverrides": None})
    model.developer.ok("POST", f"{path}/publish", {"action": "publish"})


def _without_urls(run: dict[str, Any]) -> dict[str, Any]:
    """A signed URL holds long numbers that may look like anything."""
    payload = run["outputPayload"]
    return {key: value for key, value in payload.items() if not isinstance(value, str | list)}
