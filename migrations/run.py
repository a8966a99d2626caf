"""`python -m migrations.run`: brings a database to the newest schema, as its owner.

Which one: MIGRATIONS_URL, or CLOUD_SQL_INSTANCE with DB_USER (and DB_NAME), as in the job that runs
this in the cloud. MEMBERS names the logins of the functions, separated by comma: they are let into
the application's role, which Terraform cannot do.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from pg8000.native import identifier
from sqlalchemy import Engine, create_engine, pool

APPLICATION = "tarsify_app"


def configuration(url: str) -> Config:
    """Alembic's configuration for one database."""
    config = Config(str(Path(__file__).parent / "alembic.ini"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Runs all migrations up to `revision` and installs the SQL functions."""
    engine = engine_for(url)
    upgrade_engine(engine, revision)
    engine.dispose()


def upgrade_engine(engine: Engine, revision: str = "head") -> None:
    """The same for a database that is reached in some other way than by an address."""
    config = configuration("")
    config.attributes["engine"] = engine
    config.attributes["functions"] = revision == "head"
    command.upgrade(config, revision)


def admit(engine: Engine, members: tuple[str, ...]) -> None:
    """Lets logins work as the application; raises ProgrammingError for one that does not exist."""
    with engine.begin() as connection:
        for member in members:
            connection.exec_driver_sql(f"GRANT {APPLICATION} TO {identifier(member)}")


def engine_for(url: str) -> Engine:
    """An engine that keeps no connection; no TLS on this machine, where it protects nothing."""
    local = "127.0.0.1" in url or "localhost" in url
    return create_engine(
        url, poolclass=pool.NullPool, connect_args={"ssl_context": False} if local else {}
    )


def _cloud_sql_engine(instance: str, user: str, name: str) -> Engine:
    from google.cloud.sql.connector import Connector

    connector = Connector(refresh_strategy="lazy", ip_type="private")

    def connect() -> Any:
        return connector.connect(
            instance, "pg8000", user=user, db=name, enable_iam_auth=True, timeout=30
        )

    return create_engine("postgresql+pg8000://", creator=connect, poolclass=pool.NullPool)


def _told(environ: Mapping[str, str]) -> Engine:
    if url := environ.get("MIGRATIONS_URL"):
        return engine_for(url)
    instance, user = environ.get("CLOUD_SQL_INSTANCE"), environ.get("DB_USER")
    if not (instance and user):
        sys.exit(
            "set MIGRATIONS_URL, or CLOUD_SQL_INSTANCE with DB_USER: what to migrate, as owner"
        )
    return _cloud_sql_engine(instance, user, environ.get("DB_NAME", "tarsify"))


def main(environ: Mapping[str, str]) -> None:
    """The command."""
    engine = _told(environ)
    upgrade_engine(engine)
    admit(engine, tuple(name for name in environ.get("MEMBERS", "").split(",") if name))
    engine.dispose()


if __name__ == "__main__":
    main(os.environ)
