"""A world for each test of RunPod's set-up."""

from tests.world_fixtures import (
    world,
    world_base,
    world_simulator,
    world_storage,
    world_stripe,
    world_tasks,
)

__all__ = ["world", "world_base", "world_simulator", "world_storage", "world_stripe", "world_tasks"]
