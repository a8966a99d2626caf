"""One stand-in that trusts only its own service account, and a bucket that starts empty."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.storage.running import RunningStorage, running_storage


@pytest.fixture(scope="module")
def running() -> Iterator[RunningStorage]:
    with running_storage(require_token=True) as running:
        yield running


@pytest.fixture(scope="module")
def client(running: RunningStorage) -> Iterator[Any]:
    client = running.client()
    yield client
    client.close()


@pytest.fixture
def bucket(client: Any) -> Any:
    """A fresh bucket, as Google's library sees it."""
    return client.create_bucket(f"media-{uuid.uuid4().hex}")
