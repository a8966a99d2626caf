"""`python -m migrations.run`: brings the database of MIGRATIONS_URL to the newest schema."""

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config


def configuration(url: str) -> Config:
    """Alembic's configuration for one database."""
    config = Config(str(Path(__file__).parent / "alembic.ini"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Runs all migrations up to `revision` and installs the SQL functions."""
    config = configuration(url)
    config.attributes["functions"] = revision == "head"
    command.upgrade(config, revision)


if __name__ == "__main__":
    address = os.environ.get("MIGRATIONS_URL", "")
    if not address:
        sys.exit("MIGRATIONS_URL is not set: the database to migrate, as its owner")
    upgrade(address)
