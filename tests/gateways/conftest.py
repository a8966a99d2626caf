"""Fixtures of the gateway tests."""

from collections.abc import Iterator

import pytest

from tests.gateways.origin import Origin, running_origin


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A running server that answers 200 with nothing until told otherwise."""
    with running_origin() as running:
        yield running
