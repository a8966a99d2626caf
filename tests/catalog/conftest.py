"""The catalogue's services on a fresh database."""

import pytest

from common.db import Database
from tests.catalog.shop import Shop


@pytest.fixture
def shop(db: Database) -> Shop:
    return Shop.open(db)
