"""The functions in the database are those of the files: no more, no fewer, not another word."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from migrations.functions import COMMON, SLICES, function_files
from migrations.run import upgrade

# `CREATE FUNCTION name(..) .. AS $$ body $$`, in a functions.sql or in a migration.
DEFINED = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION\s+(?P<name>[\w.]+)\s*\(.*?AS \$\$(?P<body>.*?)\$\$", re.S
)
MADE = re.compile(r"CREATE FUNCTION\s+([\w.]+)")
OURS = "pronamespace IN ('public'::regnamespace, 'ledger'::regnamespace)"


@dataclass(frozen=True)
class Function:
    """A function with its schema, and the text between the dollars."""

    name: str
    body: str


def in_text(source: str) -> list[Function]:
    return [
        Function(name if "." in name else f"public.{name}", body)
        for name, body in DEFINED.findall(source)
    ]


def in_files() -> list[Function]:
    return [it for file in function_files() for it in in_text(file.read_text("utf-8"))]


def versions() -> list[Path]:
    return sorted((COMMON.parent / "migrations" / "versions").glob("*.py"))


def in_migrations() -> list[Function]:
    return [it for file in versions() for it in in_text(file.read_text("utf-8"))]


def in_database(connection: Connection) -> list[Function]:
    query = (
        "SELECT pronamespace::regnamespace::text || '.' || proname, prosrc FROM pg_proc"
        f" WHERE {OURS} ORDER BY 1"
    )
    return [Function(name, body) for name, body in connection.execute(text(query))]


def test_every_function_of_the_files_is_in_the_database_word_for_word(owner: Connection) -> None:
    files = in_files()
    assert len(files) > 30
    missing = set(files) - set(in_database(owner))
    assert missing == set()


def test_no_function_is_in_the_database_that_nothing_defines(owner: Connection) -> None:
    defined = set(in_files()) | set(in_migrations())
    assert set(in_database(owner)) - defined == set()


def test_no_function_is_defined_twice_but_where_a_migration_says_that_it_replaces_one(
    owner: Connection,
) -> None:
    made = [name for file in versions() for name in MADE.findall(file.read_text("utf-8"))]
    names = [function.name.removeprefix("public.") for function in in_files()] + made
    assert sorted(names) == sorted(set(names))
    there = [function.name.removeprefix("public.") for function in in_database(owner)]
    assert sorted(there) == sorted(names)


def test_every_functions_sql_is_installed() -> None:
    assert set(COMMON.glob("*/functions.sql")) == set(function_files())
    assert len(SLICES) == len(set(SLICES))


def test_a_function_that_somebody_edited_in_the_database_is_put_right_by_a_migration(
    database_url: str, owner: Connection
) -> None:
    edited = (
        "CREATE OR REPLACE FUNCTION ledger.available(p_account bigint) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT 1000000::bigint'"
    )
    owner.execute(text(edited))
    assert set(in_files()) - set(in_database(owner)) != set()
    upgrade(database_url)
    assert set(in_files()) - set(in_database(owner)) == set()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(
            "NOT EXISTS (SELECT 1 FROM unnest(proconfig) c WHERE c LIKE 'search_path=%pg_temp')",
            id="a search path that a caller's temporary table could enter",
        ),
        pytest.param("has_function_privilege('public', oid, 'EXECUTE')", id="rights for everybody"),
    ],
)
def test_no_function_that_runs_with_the_owners_rights_has(owner: Connection, wrong: str) -> None:
    query = f"SELECT proname::text FROM pg_proc WHERE prosecdef AND {OURS} AND {wrong}"
    assert list(owner.scalars(text(query))) == []
