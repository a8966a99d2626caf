"""The books checked by cleanup, by staff and by `infra/audit`: one list of rules for all three."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from common.executions.auditing import INVARIANTS, audit, audit_shown
from common.runtime import Runtime
from common.settings import Settings
from infra import auditing
from migrations.functions import function_files
from tests.steps import Steps

UNBALANCED = "UPDATE ledger.account_state SET posted = posted + 5"


@pytest.fixture
def parts(settings: Settings, books: Steps) -> Runtime:
    return Runtime(settings)


def broken(owner: Connection) -> None:
    """Five micro-credits from nowhere, past every guard."""
    owner.execute(text("SET session_replication_role = replica"))
    owner.execute(text(UNBALANCED))


def test_every_rule_that_a_view_can_name_belongs_to_a_published_invariant() -> None:
    named = {
        code
        for file in function_files()
        for code in re.findall(r"'(I\d+) [a-z]", file.read_text(encoding="utf-8"))
    }
    assert named == set(INVARIANTS)


def test_books_in_order_show_every_invariant_with_none_broken(parts: Runtime) -> None:
    shown = audit_shown(parts)
    assert shown.violations == 0
    assert [each.code for each in shown.invariants] == list(INVARIANTS)
    assert all(each.violations == 0 and each.examples == [] for each in shown.invariants)


def test_a_broken_balance_is_counted_and_shown_with_its_difference(
    parts: Runtime, owner: Connection
) -> None:
    broken(owner)
    found = {each.code: each for each in audit_shown(parts).invariants}
    assert found["I1"].violations > 0
    assert audit(parts) == sum(each.violations for each in found.values())
    assert {each.difference for each in found["I1"].examples} == {5}
    assert found["I3"].violations == 0


def test_the_command_ends_well_on_books_in_order(
    parts: Runtime, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert auditing.main(["--database", database_url], {}) == 0
    printed = capsys.readouterr().out
    assert all(promise in printed for promise in INVARIANTS.values())


def test_the_command_names_what_is_broken_and_ends_with_one(
    parts: Runtime, database_url: str, owner: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(owner)
    assert auditing.main([], {"DATABASE_URL": database_url}) == 1
    assert "I1 balance differs from postings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "set DATABASE_URL"),
        ({"DATABASE_URL": "postgresql+pg8000://nobody@127.0.0.1:1/none"}, "cannot be read"),
    ],
)
def test_the_command_says_what_to_do_when_there_are_no_books(
    environment: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert auditing.main([], environment) == 2
    assert words in capsys.readouterr().out


def test_an_audit_changes_nothing(parts: Runtime, owner: Connection, tmp_path: Path) -> None:
    counted = text("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")
    owner.execute(text("SELECT pg_stat_force_next_flush()"))
    before = owner.scalar(counted)
    audit_shown(parts)
    assert owner.scalar(counted) == before
