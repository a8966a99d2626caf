"""The HTTP layer alone (`sample`), and each function as functions-framework serves it."""

import pytest
from werkzeug.test import Client

from tests.functions.conftest import apps, catalogue, parts, people, public, studio, tokens
from tests.http.sample import client_of, make_sample
from tests.world_fixtures import (
    world,
    world_base,
    world_simulator,
    world_storage,
    world_stripe,
    world_tasks,
)

__all__ = [
    "apps", "catalogue", "parts", "people", "public", "studio", "tokens",
    "world", "world_base", "world_simulator", "world_storage", "world_stripe", "world_tasks",
]  # fmt: skip


@pytest.fixture
def sample() -> Client:
    """A client of the sample function."""
    return client_of(make_sample())
