"""What a run gets to know of a model, and which models cannot be run."""

import uuid
from typing import Any

import pytest
from sqlalchemy import text

from common.catalog import service as catalog
from common.catalog.overrides import ConfigOverrides
from common.catalog.schemas.developers import TarsModelChanges
from common.db import Database
from common.errors import InvalidStatus, ModelNotFound, ModelUnavailable, TarsifyError
from tests.catalog.shop import SCHEMA, Shop


def to_run(db: Database, slug: str) -> catalog.Runnable:
    with db.transaction() as session:
        return catalog.runnable(session, slug)


def to_test(db: Database, model_id: uuid.UUID, developer_id: uuid.UUID) -> catalog.Runnable:
    with db.transaction() as session:
        return catalog.testable(session, model_id, developer_id)


def newest_version(db: Database) -> Any:
    with db.transaction() as session:
        query = "SELECT id FROM tars_model_versions ORDER BY number DESC LIMIT 1"
        return session.execute(text(query)).scalar_one()


def test_a_published_model_is_known_with_all_that_a_run_needs(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    shown = shop.published(dora, config_overrides={"lockedInputs": {"width": 512}})
    assert to_run(db, "NEON") == catalog.Runnable(
        model_id=shown.id,
        version_id=newest_version(db),
        slug="neon",
        title="Neon",
        developer_id=dora,
        price_credits=7,
        overrides=ConfigOverrides(locked_inputs={"width": 512}),
        input_schema=SCHEMA,
        schema_revision=1,
        base_model_id=shop.base_model_id,
        base_model_name="SDXL",
        category="IMAGE",
        output_type="IMAGE",
        output_format="png",
        output_adapter="sdxl",
        estimated_seconds=30,
        queue_seconds=120,
        moderation="off",
        execution_timeout_seconds=600,
        endpoint_id=shop.endpoint_id,
        runpod_endpoint_id="rp-1",
    )


def test_w64_a_run_knows_the_version_of_the_configuration_it_uses(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    shown = shop.published(dora)
    first = to_run(db, "neon").version_id
    changes = TarsModelChanges(config_overrides=ConfigOverrides(prompt_prefix="neon "))
    with db.transaction() as session:
        catalog.change_model(session, shown.id, dora, changes)
    second = to_run(db, "neon")
    assert (second.version_id, second.overrides.prompt_prefix) == (newest_version(db), "neon ")
    assert second.version_id != first


def test_a_draft_can_be_tested_and_not_be_run(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    draft = shop.draft(dora)
    with pytest.raises(ModelNotFound):
        to_run(db, "neon")
    assert to_test(db, draft.id, dora).version_id is None


def test_a_published_model_is_tested_as_its_version(db: Database, shop: Shop) -> None:
    dora = shop.developer()
    shown = shop.published(dora)
    assert to_test(db, shown.id, dora) == to_run(db, "neon")


def test_another_developers_model_cannot_be_tested(db: Database, shop: Shop) -> None:
    draft = shop.draft(shop.developer())
    with pytest.raises(ModelNotFound):
        to_test(db, draft.id, shop.developer("eve"))


ARCHIVED = "UPDATE tars_models SET status = 'ARCHIVED'"
DELETED = "UPDATE tars_models SET status = 'ARCHIVED', deleted_at = now()"
BASE_MODEL_OFF = "UPDATE base_models SET is_active = false"
ENDPOINT_OFF = "UPDATE runpod_endpoints SET is_active = false"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (ARCHIVED, InvalidStatus),
        (DELETED, ModelNotFound),
        (BASE_MODEL_OFF, ModelUnavailable),
        (ENDPOINT_OFF, ModelUnavailable),
    ],
)
def test_w20_a_model_that_is_off_is_neither_run_nor_tested(
    db: Database, shop: Shop, change: str, refusal: type[TarsifyError]
) -> None:
    dora = shop.developer()
    shown = shop.published(dora)
    with db.transaction() as session:
        session.execute(text(change))
    with pytest.raises(refusal):
        to_run(db, "neon")
    with pytest.raises(refusal):
        to_test(db, shown.id, dora)


def test_a_suspended_developers_model_is_not_run(db: Database, shop: Shop) -> None:
    shop.published(shop.developer())
    with db.transaction() as session:
        session.execute(text("UPDATE developers SET suspended_at = now()"))
    with pytest.raises(ModelUnavailable):
        to_run(db, "neon")


def test_w22_a_refusal_names_nothing_of_runpod(db: Database, shop: Shop) -> None:
    shop.published(shop.developer())
    with db.transaction() as session:
        session.execute(text(ENDPOINT_OFF))
    with pytest.raises(ModelUnavailable) as refused:
        to_run(db, "neon")
    assert "rp-1" not in refused.value.message
    assert refused.value.details == {}
