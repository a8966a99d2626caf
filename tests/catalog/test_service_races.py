"""What happens when two edit the catalogue at the same moment."""

import uuid
from typing import Any

from sqlalchemy import text

from common.catalog import service as catalog
from common.catalog.schemas.developers import TarsModelChanges
from common.catalog.schemas.staff import EndpointIn
from common.db import Database
from common.errors import EndpointTaken, FrozenField, InvalidStatus, SlugTaken
from tests.catalog.shop import Shop
from tests.together import together


def count(db: Database, table: str) -> int:
    with db.transaction() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_w65_one_slug_wanted_by_many_at_once_is_one_model(db: Database, shop: Shop) -> None:
    developers = [shop.developer(f"dev{number}") for number in range(6)]
    answers = together(6, lambda number: shop.draft(developers[number], slug="NEON").id)
    assert sum(isinstance(answer, SlugTaken) for answer in answers) == 5
    assert count(db, "tars_models") == 1


def test_k11_one_creation_sent_many_times_at_once_is_one_model(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    answers = together(6, lambda _number: shop.draft(dora).id)
    assert len(set(answers)) == 1
    assert count(db, "tars_models") == 1


def test_w65_two_drafts_that_take_one_slug_at_once_are_one_winner(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    drafts = [shop.draft(dora, slug=f"draft-{number}").id for number in range(4)]

    def rename(number: int) -> str:
        with db.transaction() as session:
            changes = TarsModelChanges(slug="wanted")
            return catalog.change_model(session, drafts[number], dora, changes).slug

    answers = together(4, rename)
    assert answers.count("wanted") == 1
    assert sum(isinstance(answer, SlugTaken) for answer in answers) == 3


def test_k11_publishing_many_times_at_once_is_one_version(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    draft = shop.draft(dora)

    def publish(_number: int) -> Any:
        with db.transaction() as session:
            return catalog.publish(session, draft.id, dora).published_at

    assert len(set(together(6, publish))) == 1
    assert count(db, "tars_model_versions") == 1


def test_publishing_and_repricing_at_once_leave_row_and_version_equal(
    db: Database, shop: Shop
) -> None:
    dora = shop.developer()
    draft = shop.draft(dora)

    def act(number: int) -> Any:
        with db.transaction() as session:
            if number == 0:
                return catalog.publish(session, draft.id, dora).status
            changes = TarsModelChanges(price_credits=100)
            return catalog.change_model(session, draft.id, dora, changes).price_credits

    published, repriced = together(2, act)
    assert published == "PUBLISHED"
    assert repriced == 100 or isinstance(repriced, FrozenField)
    assert prices_differ(db) == 0


def test_publishing_and_deleting_at_once_never_offer_a_deleted_model(
    db: Database, shop: Shop
) -> None:
    dora = shop.developer()
    draft = shop.draft(dora)

    def act(number: int) -> Any:
        with db.transaction() as session:
            if number == 0:
                return catalog.publish(session, draft.id, dora).status
            catalog.delete_model(session, draft.id, dora)
            return "deleted"

    published, deleted = together(2, act)
    assert (published == "PUBLISHED") == isinstance(deleted, InvalidStatus)
    assert (deleted == "deleted") == (published != "PUBLISHED")


def test_one_endpoint_registered_many_times_at_once_is_one_row(db: Database) -> None:
    def register(_number: int) -> uuid.UUID:
        new = EndpointIn(runpod_endpoint_id="same", name="GPU", gpu_type="A40")
        with db.transaction() as session:
            return catalog.create_endpoint(session, new).id

    answers = together(5, register)
    assert sum(isinstance(answer, EndpointTaken) for answer in answers) == 4


def test_runs_tallied_while_folding_are_all_counted(db: Database, shop: Shop) -> None:
    model = shop.published(shop.developer())
    tally = text("INSERT INTO run_tally (tars_model_id) VALUES (:model)")

    def work(number: int) -> None:
        with db.step() as connection:
            for _ in range(25):
                if number % 2:
                    connection.execute(text("SELECT fold_run_tallies()"))
                else:
                    connection.execute(tally, {"model": model.id})

    together(4, work)
    with db.step() as connection:
        assert catalog.detail(connection, "neon")["totalRuns"] == 50


def prices_differ(db: Database) -> int:
    query = """
        SELECT count(*) FROM tars_models m
        JOIN tars_model_versions v ON v.id = m.published_version_id
        WHERE v.price_credits <> m.price_credits
    """
    with db.transaction() as session:
        return int(session.execute(text(query)).scalar_one())
