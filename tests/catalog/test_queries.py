"""What the database is asked, and what it refuses whoever asks."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from common.catalog import service as catalog
from common.catalog.schemas.public import BrowseQuery
from common.db import Database, sqlstate, violated
from tests.catalog.shop import Shop

RESTRICTED, DENIED, CHECK, FOREIGN_KEY, UNIQUE = "23001", "42501", "23514", "23503", "23505"


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    """The SQL statements that are sent meanwhile."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def refusal(db: Database, statement: str) -> DBAPIError:
    with pytest.raises(DBAPIError) as refused, db.transaction() as session:
        session.execute(text(statement))
    return refused.value


def test_browsing_is_one_statement(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    for number in range(3):
        shop.published(dora, slug=f"neon-{number}")
    with statements(db) as seen, db.step() as connection:
        page = catalog.browse(connection, BrowseQuery(limit=2))
    assert (len(page.items), page.total) == (2, 3)
    assert len(seen) == 1
    assert "input_schema" not in seen[0]


def test_a_detail_is_one_statement_once_its_form_is_known(db: Database, shop: Shop) -> None:
    shop.published(shop.developer())
    with db.step() as connection:
        first = catalog.detail(connection, "neon")
    with statements(db) as seen, db.step() as connection:
        assert catalog.detail(connection, "neon") == first
    assert len(seen) == 1


@pytest.mark.parametrize(
    "statement",
    ["UPDATE tars_model_versions SET price_credits = 1", "DELETE FROM tars_model_versions"],
)
def test_the_application_may_not_touch_a_version(db: Database, shop: Shop, statement: str) -> None:
    shop.published(shop.developer())
    assert sqlstate(refusal(db, statement)) == DENIED


@pytest.mark.parametrize(
    "statement",
    ["UPDATE tars_model_versions SET price_credits = 1", "DELETE FROM tars_model_versions"],
)
def test_not_even_the_owner_may_change_a_version(db: Database, shop: Shop, statement: str) -> None:
    shop.published(shop.developer())
    error = refusal(db, f"DO $$ BEGIN RESET ROLE; {statement}; END $$")
    assert sqlstate(error) == RESTRICTED


@pytest.mark.parametrize(
    "table", ["tars_models", "base_models", "runpod_endpoints", "developers", "consumers"]
)
def test_the_application_may_not_delete_rows(db: Database, table: str) -> None:
    assert sqlstate(refusal(db, f"DELETE FROM {table}")) == DENIED


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("price_credits = 0", "ck_tars_models_price_credits"),
        ("price_credits = 10001", "ck_tars_models_price_credits"),
        ("status = 'GONE'", "ck_tars_models_status"),
        ("published_version_id = NULL", "ck_tars_models_published_has_version"),
        ("published_at = NULL", "ck_tars_models_published_has_version"),
        ("deleted_at = now()", "ck_tars_models_deleted_is_hidden"),
    ],
)
def test_the_table_refuses_a_model_that_cannot_be(
    db: Database, shop: Shop, change: str, constraint: str
) -> None:
    shop.published(shop.developer())
    error = refusal(db, f"UPDATE tars_models SET {change}")
    assert (sqlstate(error), violated(error)) == (CHECK, constraint)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("category = 'MUSIC'", "ck_base_models_category"),
        ("output_type = 'SOUND'", "ck_base_models_output_type"),
        ("estimated_seconds = 0", "ck_base_models_estimated_seconds"),
        ("queue_seconds = 0", "ck_base_models_queue_seconds"),
        ("execution_timeout_seconds = 0", "ck_base_models_execution_timeout_seconds"),
    ],
)
def test_the_table_refuses_a_base_model_that_cannot_be(
    db: Database, shop: Shop, change: str, constraint: str
) -> None:
    error = refusal(db, f"UPDATE base_models SET {change}")
    assert (sqlstate(error), violated(error)) == (CHECK, constraint)


def test_the_table_refuses_a_second_slug_in_another_spelling(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    shop.draft(dora, slug="one")
    shop.draft(dora, slug="two")
    error = refusal(db, "UPDATE tars_models SET slug = 'ONE' WHERE slug = 'two'")
    assert (sqlstate(error), violated(error)) == (UNIQUE, "uq_tars_models_slug")


def test_the_tables_refuse_a_model_without_its_people_and_parts(db: Database, shop: Shop) -> None:
    shop.draft(shop.developer())
    for column in ("developer_id", "base_model_id", "published_version_id"):
        error = refusal(db, f"UPDATE tars_models SET {column} = gen_random_uuid()")
        assert sqlstate(error) == FOREIGN_KEY
