"""`infra/release/mark`: keeps what is being released, for the tests of the releases after it.

Plays the story on a whole platform with a database of its own, then writes two files into
migrations/released/: schema.json, the newest migration and what the code relies on in the database,
and data.sql, the rows that this code made. The commit that holds them is the released code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from infra.local.ports import free_port
from infra.local.postgres import PostgresServer
from infra.packing.contents import ROOT
from infra.release.surface import Surface, digest, surface_of
from migrations.run import configuration, engine_for, upgrade

RELEASED = ROOT / "migrations" / "released"
SCHEMA, DATA = RELEASED / "schema.json", RELEASED / "data.sql"
ALEMBICS = "alembic_version"


def newest_migration() -> str:
    """The one head of the migrations."""
    head = ScriptDirectory.from_config(configuration("")).get_current_head()
    assert head is not None
    return head


def play(database_url: str, folder: Path) -> None:
    """A real platform on that database: everything that the story does, once."""
    story = ["-m", "infra.local.up", "--once", "--port", str(free_port()), "--data", str(folder)]
    environment = {**os.environ, "DATABASE_URL": database_url}
    subprocess.run([sys.executable, *story], cwd=ROOT, env=environment, check=True)


def schema_as_json(revision: str, tables: str, surface: Surface) -> str:
    """One line for each column and function, so that a change is one line."""
    kinds = [
        f'"{kind}": {{\n'
        + ",\n".join(
            f" {json.dumps(name)}: {json.dumps(entries[name])}" for name in sorted(entries)
        )
        + "\n}"
        for kind, entries in surface.items()
    ]
    head = [f'"revision": {json.dumps(revision)}', f'"tables": {json.dumps(tables)}']
    return "{\n" + ",\n".join([*head, *kinds]) + "\n}\n"


def rows_as_sql(engine: Engine) -> str:
    """Every row as an INSERT, and where each sequence stands, in a fixed order."""
    with engine.connect() as connection:
        tables = _tables(connection)
        lines = [line for name in tables for line in sorted(_inserts(connection, name))]
        return "\n".join([*lines, *_sequences(connection)]) + "\n"


def _tables(connection: Connection) -> list[str]:
    query = (
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname IN ('public', 'ledger') AND tablename <> %s ORDER BY 1"
    )
    return [str(row[0]) for row in connection.exec_driver_sql(query, (ALEMBICS,))]


def _inserts(connection: Connection, table: str) -> list[str]:
    """PostgreSQL quotes each value itself."""
    columns = (
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
    )
    names = [f'"{row[0]}"' for row in connection.exec_driver_sql(columns, (table,))]
    values = " || ', ' || ".join(f"quote_nullable({name}::text)" for name in names)
    rows = connection.exec_driver_sql(f"SELECT {values} FROM {table}")
    into = f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE VALUES "
    return [f"{into}({row[0]});" for row in rows]


def _sequences(connection: Connection) -> list[str]:
    query = (
        "SELECT format('SELECT setval(%L, %s);', schemaname || '.' || sequencename, last_value)"
        " FROM pg_sequences WHERE last_value IS NOT NULL ORDER BY 1"
    )
    return [str(row[0]) for row in connection.exec_driver_sql(query)]


def _keep(server: PostgresServer, folder: Path) -> None:
    revision = newest_migration()
    server.create_database("bare")
    upgrade(server.url("bare"), revision)
    with engine_for(server.url("bare")).connect() as connection:
        tables = digest(connection)
    server.create_database("released")
    upgrade(server.url("released"))
    play(server.url("released"), folder / "platform")
    engine = engine_for(server.url("released"))
    with engine.connect() as connection:
        surface = surface_of(connection)
    RELEASED.mkdir(exist_ok=True)
    SCHEMA.write_text(schema_as_json(revision, tables, surface))
    # A worker's traceback names files of the machine that the story was played on.
    DATA.write_text(rows_as_sql(engine).replace(str(ROOT), "/app"))


def main() -> None:
    """The command."""
    with tempfile.TemporaryDirectory(prefix="tarsify-release-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = PostgresServer(folder / "postgres", durable=False).start()
        try:
            _keep(server, folder)
        finally:
            server.stop(mode="immediate")
    print(f"kept in {RELEASED.relative_to(ROOT)}: commit it as what is released")


if __name__ == "__main__":
    main()
