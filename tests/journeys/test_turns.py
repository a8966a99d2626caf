"""More runs at once than a consumer may have going wait their turn."""

from tests.following import go_on_at_once, slow, wait_for
from tests.world import World


def test_a_cancelled_run_that_waited_for_its_turn_leaves_the_turns_to_the_others(
    world: World,
) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    go_on_at_once(world, 1)
    slow(world, model)
    first, second, third = (world.run(owner, model) for _ in range(3))
    owner.ok("POST", f"/api/marketplace/runs/{second}/cancel")
    owner.ok("POST", f"/api/marketplace/runs/{first}/cancel")
    world.ended(owner, first)
    wait_for(lambda: world.tasks.deliver_all_due(world.clock.now()) and len(world.jobs(model)) == 2)
    owner.ok("POST", f"/api/marketplace/runs/{third}/cancel")


def test_whoever_has_waited_longer_goes_first(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    go_on_at_once(world, 1)
    slow(world, model)
    first, second = world.run(owner, model), world.run(owner, model)
    owner.ok("POST", f"/api/marketplace/runs/{first}/cancel")
    world.ended(owner, first)
    third = world.run(owner, model)  # there is a place, but not for this one
    assert len(world.jobs(model)) == 1
    world.advance(150, sweep=True)
    assert [world.shown(owner, run)["status"] for run in (second, third)] == ["RUNNING", "PENDING"]
    owner.ok("POST", f"/api/marketplace/runs/{third}/cancel")
    owner.ok("POST", f"/api/marketplace/runs/{second}/cancel")


def test_more_runs_than_may_go_on_at_once_wait_their_turn_and_all_end(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    go_on_at_once(world, 2)
    slow(world, model, run_ms=20_000)
    runs = [world.run(owner, model) for _ in range(5)]
    assert len(world.jobs(model)) == 2
    assert sorted(world.shown(owner, run)["status"] for run in runs)[:3] == ["PENDING"] * 3
    most = 2
    for _ in range(20):
        world.advance(15, sweep=True)
        going = [job for job in world.jobs(model) if job["status"] in {"IN_QUEUE", "IN_PROGRESS"}]
        most = max(most, len(going))
    assert most == 2
    assert {world.shown(owner, run)["completedAt"] is not None for run in runs} == {True}
    assert len(world.jobs(model)) == 5


def test_the_next_run_begins_when_one_has_ended_without_waiting_for_a_sweep(world: World) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    go_on_at_once(world, 1)
    slow(world, model)
    first, second = world.run(owner, model), world.run(owner, model)
    owner.ok("POST", f"/api/marketplace/runs/{first}/cancel")
    world.ended(owner, first)
    wait_for(lambda: world.tasks.deliver_all_due(world.clock.now()) and len(world.jobs(model)) == 2)
    owner.ok("POST", f"/api/marketplace/runs/{second}/cancel")
