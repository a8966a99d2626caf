"""The release before this one: its data survive the migration, its code runs on what comes of it.

What was released is kept in migrations/released by infra/release/mark, so most of this needs no
history: the schema that the code relies on, and rows that it made. The code is in the history. A
clone that ends before it, or one in which nothing was released since, finds this code there, and
then the last test says nothing about another release.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from common.executions.auditing import invariants
from common.runtime import Runtime
from common.settings import Settings
from infra.local.postgres import PostgresServer
from infra.packing.contents import ROOT
from infra.release.mark import DATA, SCHEMA
from infra.release.surface import Surface, broken_promises, digest, surface_of
from migrations.functions import function_files, run_script
from migrations.run import engine_for, upgrade, upgrade_engine
from tests.world import ShiftedClock

RELEASED = json.loads(SCHEMA.read_text(encoding="utf-8"))
TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
 WHERE schemaname IN ('public', 'ledger') AND tablename <> 'alembic_version'
"""
JOURNEYS = (
    "tests/journeys/test_a_run.py::test_a_consumer_runs_a_model_and_gets_the_picture_for_its_price",
    "tests/journeys/test_earning.py::test_earnings_clear_after_a_week_and_are_paid_to_the_developers_account",
)

GROWTH = {
    "a column that may be empty": "ALTER TABLE consumers ADD COLUMN nickname text",
    "a column with a default": "ALTER TABLE consumers ADD COLUMN n int NOT NULL DEFAULT 1",
    "a table": "CREATE TABLE nicknames (consumer uuid NOT NULL)",
    "a table's index": "CREATE INDEX i ON consumers (created_at)",
    "a right": "GRANT DELETE ON consumers TO tarsify_app",
    "an argument that need not be given": """
        DROP FUNCTION refund_refused(uuid, timestamptz);
        CREATE FUNCTION refund_refused(p_id uuid, p_now timestamptz, p_why text DEFAULT '')
          RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT';""",
    "another form of a function beside the known one": """
        CREATE FUNCTION refund_refused(p_id uuid) RETURNS void LANGUAGE sql AS 'SELECT';""",
}
LOSS = {
    "a column gone": "ALTER TABLE consumers DROP COLUMN avatar_url CASCADE",
    "a column renamed": "ALTER TABLE consumers RENAME COLUMN email TO mail",
    "a table renamed": "ALTER TABLE base_models RENAME TO foundations",
    "another type": "ALTER TABLE consumers ALTER COLUMN email TYPE varchar(99)",
    "a column that must be given": "ALTER TABLE consumers ADD COLUMN age int NOT NULL",
    "a column that now must be given": "ALTER TABLE consumers ALTER COLUMN name SET NOT NULL",
    "a right taken": "REVOKE UPDATE ON consumers FROM tarsify_app",
    "a table taken": "REVOKE ALL ON executions FROM tarsify_app",
    "a function gone": "DROP FUNCTION refund_refused(uuid, timestamptz)",
    "a function taken": (
        "REVOKE EXECUTE ON FUNCTION refund_refused(uuid, timestamptz) FROM tarsify_app, PUBLIC"
    ),
    "an argument more": """
        DROP FUNCTION refund_refused(uuid, timestamptz);
        CREATE FUNCTION refund_refused(p_id uuid, p_now timestamptz, p_why text)
          RETURNS void LANGUAGE sql AS 'SELECT';""",
    "another answer": """
        DROP FUNCTION refund_refused(uuid, timestamptz);
        CREATE FUNCTION refund_refused(p_id uuid, p_now timestamptz)
          RETURNS text LANGUAGE sql AS $$ SELECT ''::text $$;""",
}


@pytest.fixture
def changeable(postgres: PostgresServer, template: str) -> Iterator[Connection]:
    """The newest schema, to be changed."""
    postgres.create_database("changeable", template=template)
    engine = engine_for(postgres.url("changeable"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()
    postgres.drop_database("changeable")


@pytest.fixture
def released(postgres: PostgresServer) -> Iterator[Engine]:
    """A database as the release before left it: its schema and the rows that its code made."""
    postgres.create_database("released_rows")
    url = postgres.url("released_rows")
    upgrade(url, RELEASED["revision"])
    engine = engine_for(url)
    with engine.begin() as connection:
        # The rows were in order when they were kept; here they come in no order.
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(f"TRUNCATE {', '.join(connection.scalars(text(TABLES)))}"))
        run_script(connection, DATA.read_text(encoding="utf-8"))
    yield engine
    engine.dispose()
    postgres.drop_database("released_rows")


def counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        tables = list(connection.scalars(text(TABLES)))
        return {
            t: connection.execute(text(f"SELECT count(*) FROM {t}")).scalar_one() for t in tables
        }


def surface() -> Surface:
    return {kind: RELEASED[kind] for kind in ("columns", "functions")}


def test_what_released_code_relies_on_is_still_there(owner: Connection) -> None:
    lost = broken_promises(surface(), surface_of(owner))
    assert lost == [], (
        "released code would fail on this schema. Keep the old form for one release; or, if what"
        " migrations/released holds was never deployed, run infra/release/mark and commit it:\n"
        + "\n".join(lost)
    )


@pytest.mark.parametrize("what", GROWTH)
def test_released_code_does_not_mind(changeable: Connection, what: str) -> None:
    before = surface_of(changeable)
    run_script(changeable, GROWTH[what])
    assert broken_promises(before, surface_of(changeable)) == []


@pytest.mark.parametrize("what", LOSS)
def test_released_code_would_miss(changeable: Connection, what: str) -> None:
    before = surface_of(changeable)
    run_script(changeable, LOSS[what])
    assert broken_promises(before, surface_of(changeable)) != []


def test_rows_of_the_release_before_survive_and_the_books_are_in_order(released: Engine) -> None:
    before = counts(released)
    assert before["public.executions"] >= 5
    assert before["ledger.transfer"] >= 10
    upgrade_engine(released)
    after = counts(released)
    assert {table: after.get(table) for table in before} == before
    url = released.url.render_as_string(hide_password=False)
    clock = ShiftedClock()
    clock.shift = _since_then(released)
    parts = Runtime(Settings(database_url=url), clock=clock)
    try:
        found = invariants(parts)
    finally:
        parts.db.dispose()
    assert len(found) > 5
    assert [each for each in found if each.broken] == []


def _since_then(released: Engine) -> timedelta:
    """Back to when the data were kept: that something was not done for hours is a breach too."""
    with released.connect() as connection:
        then = connection.execute(text("SELECT max(at) - now() FROM ledger.transfer")).scalar_one()
    assert isinstance(then, timedelta)
    return then


def test_migrations_that_were_released_are_not_edited(released: Engine) -> None:
    """An installation that has run one never runs it again."""
    with released.connect() as connection:
        assert digest(connection) == RELEASED["tables"], (
            f"migrations up to {RELEASED['revision']} make other tables than they did: write a new"
            " one; or, if that was never deployed, run infra/release/mark and commit what it wrote"
        )


@pytest.mark.timeout(300)
def test_code_of_the_release_before_runs_on_the_new_schema(tmp_path: Path) -> None:
    """Its own journeys, with these migrations and SQL functions in place of its own."""
    folder = tmp_path / "released"
    released_code(folder)
    shutil.rmtree(folder / "migrations", ignore_errors=True)
    shutil.copytree(ROOT / "migrations", folder / "migrations")
    for file in function_files():
        (folder / file.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(file, folder / file.relative_to(ROOT))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *JOURNEYS],
        cwd=folder,
        env={name: it for name, it in os.environ.items() if not name.startswith("PYTEST")},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert f"{len(JOURNEYS)} passed" in done.stdout


def released_code(folder: Path) -> None:
    """The code of the commit that kept what was released; this code where there is none."""
    folder.mkdir()
    parts = ["common", "functions", "infra", "tests", "pyproject.toml"]
    commit = _git("log", "-1", "--format=%H", "--", str(SCHEMA)).decode().strip()
    if commit:
        archive = _git("archive", "--format=tar", commit, *parts)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        return
    for part in parts:
        copy: Callable[[Path, Path], object] = (
            shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        )
        copy(ROOT / part, folder / part)


def _git(*arguments: str) -> bytes:
    """What git says; nothing where this is no clone."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False).stdout
