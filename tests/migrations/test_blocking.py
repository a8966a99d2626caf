"""No migration since the last release stops the traffic on a table that is in use.

squawk reads the statements; what it has no rule for is looked for here. A statement that is
harmless in its place says so and why: `-- squawk-ignore rule-name`.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from infra.local.postgres import PostgresServer
from infra.release.mark import SCHEMA
from migrations.run import engine_for, upgrade, upgrade_engine

SQUAWK = Path(sys.executable).with_name("squawk")
# Rules about style, and about limits of time that migrations/env.py sets for all.
NOT_ABOUT_BLOCKING = {
    "require-lock-timeout",
    "require-statement-timeout",
    "prefer-robust-stmts",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-text-field",
    "prefer-timestamp-tz",
    "ban-concurrent-index-creation-in-transaction",  # migrations/concurrently.py leaves it
}
# Each of these is a handful of rows that an operator sets.
SMALL = {
    "alembic_version",
    "credit_packages",
    "purchase_terms",
    "earning_terms",
    "gpu_prices",
    "runpod_endpoints",
}
HEAVY = re.compile(
    r"^\s*(UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|LOCK(?:\s+TABLE)?|CLUSTER|REINDEX\s+\w+"
    r"|VACUUM(?:\s+FULL)?)\s+(?:ONLY\s+)?([\w.\"]+)",
    re.IGNORECASE | re.MULTILINE,
)
MADE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?([\w.]+)", re.IGNORECASE)
BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)

BLOCKING = {
    "an index": "CREATE INDEX i ON executions (status)",
    "a required column": "ALTER TABLE executions ADD COLUMN b text NOT NULL",
    "another type": "ALTER TABLE executions ALTER COLUMN error_code TYPE varchar(9)",
    "a checked constraint": "ALTER TABLE executions ADD CONSTRAINT c CHECK (price > 0)",
    "a foreign key": "ALTER TABLE executions ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (id)",
    "a unique constraint": "ALTER TABLE executions ADD CONSTRAINT u UNIQUE (status)",
    "NOT NULL": "ALTER TABLE executions ALTER COLUMN output SET NOT NULL",
    "a default that is reckoned": "ALTER TABLE executions ADD COLUMN v uuid DEFAULT random_uuid()",
    "a column dropped": "ALTER TABLE executions DROP COLUMN output",
    "a column renamed": "ALTER TABLE executions RENAME COLUMN output TO result",
    "a table renamed": "ALTER TABLE executions RENAME TO runs",
    "a table dropped": "DROP TABLE executions",
    "a backfill": "UPDATE executions SET status = 'FAILED'",
    "a clearance": "DELETE FROM ledger.transfer WHERE id < 5",
    "an emptying": "TRUNCATE executions",
    "a lock": "LOCK TABLE executions",
    "a rewrite": "VACUUM FULL executions",
}
HARMLESS = {
    "a column that may be empty": "ALTER TABLE executions ADD COLUMN b text",
    "a fixed default": "ALTER TABLE executions ADD COLUMN b bigint NOT NULL DEFAULT 1",
    "an index built beside the traffic": "CREATE INDEX CONCURRENTLY i ON executions (status)",
    "a constraint for what comes": (
        "ALTER TABLE executions ADD CONSTRAINT c CHECK (price > 0) NOT VALID"
    ),
    "its later check": "ALTER TABLE executions VALIDATE CONSTRAINT c",
    "a new table with its index": "CREATE TABLE n (a bigint); CREATE INDEX i ON n (a);"
    " UPDATE n SET a = 1",
    "terms that an operator sets": "UPDATE earning_terms SET hold_days = 7",
    "what a function does": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$\nUPDATE executions SET a = 1;\n$$"
    ),
    "a right": "GRANT SELECT ON executions TO tarsify_app",
    "what is said to be harmless": "-- squawk-ignore ban-drop-table\nDROP TABLE executions",
}


def complaints(statements: list[str]) -> list[str]:
    """What would block, by name."""
    script = ";\n".join(statements) + ";\n"
    found = subprocess.run(
        [SQUAWK, "--reporter", "Json", "--pg-version", "16", "--assume-in-transaction"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    rules = {str(each["rule_name"]) for each in json.loads(found.stdout)} - NOT_ABOUT_BLOCKING
    return sorted(rules) + heavy(script)


def heavy(script: str) -> list[str]:
    """Statements over the whole of a table that is neither small nor made here."""
    plain = BODY.sub("", script)
    fine = SMALL | set(MADE.findall(plain))
    return [f"{verb} {table}" for verb, table in HEAVY.findall(plain) if table not in fine]


@pytest.mark.parametrize("what", BLOCKING)
def test_this_would_block(what: str) -> None:
    assert complaints([BLOCKING[what]])


@pytest.mark.parametrize("what", HARMLESS)
def test_this_would_not(what: str) -> None:
    assert complaints([HARMLESS[what]]) == []


@pytest.fixture
def released(postgres: PostgresServer) -> Iterator[Engine]:
    """A database at the last release's migration."""
    postgres.create_database("released_schema")
    url = postgres.url("released_schema")
    upgrade(url, json.loads(SCHEMA.read_text())["revision"])
    engine = engine_for(url)
    yield engine
    engine.dispose()
    postgres.drop_database("released_schema")


def test_no_migration_since_the_last_release_blocks_a_table_in_use(released: Engine) -> None:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "%s" not in statement:  # asked by the tools themselves, with parameters
            statements.append(statement)

    event.listen(released, "before_cursor_execute", note)
    upgrade_engine(released)
    assert statements, "nothing was heard of the migration"
    assert complaints(statements) == []
