"""A developer's tars models (contract 1.3): configure, preview, publish, archive, delete."""

from typing import Any

from common import logs
from common.accounts.service import Developer
from common.catalog import service as catalog
from common.catalog.schemas.developers import (
    BaseModelList,
    OfferQuery,
    PreviewForm,
    PreviewIn,
    PreviewPayload,
    PublishIn,
    TarsModelChanges,
    TarsModelIn,
    TarsModelItem,
    TarsModelOut,
    TarsModelsQuery,
)
from common.errors import (
    BaseModelInactive,
    BaseModelNotFound,
    BodyTooLarge,
    FrozenField,
    InvalidInputs,
    InvalidOverrides,
    InvalidStatus,
    ModelNotFound,
    NotPublishable,
    SlugTaken,
    UnsupportedAction,
)
from common.http import Call, Link, Page
from common.http.app import Routes
from common.runtime import runtime
from functions.studio.account import DEVELOPER_ERRORS
from functions.studio.guards import developer

routes = Routes()
audit = logs.Log("audit")
NO_SUCH_MODEL = (*DEVELOPER_ERRORS, ModelNotFound)
ABOUT_A_MODEL = (
    "GET /tars-models/<model_id>",
    "PUT /tars-models/<model_id>",
    "PATCH /tars-models/<model_id>",
    "DELETE /tars-models/<model_id>",
    "POST /tars-models/<model_id>/publish",
    "POST /tars-models/<model_id>/archive",
    "GET /tars-models/<model_id>/preview",
    "POST /tars-models/<model_id>/preview",
    "POST /tars-models/<id>/test-run",
)


@routes.route(
    "GET",
    "/tars-models/base-models",
    guard=developer("models:read"),
    query=OfferQuery,
    out=BaseModelList,
    errors=DEVELOPER_ERRORS,
    aliases=("/base-models",),
)
def base_models(call: Call[Developer, None, OfferQuery]) -> BaseModelList:
    """Lists what tars models can be made of."""
    with runtime().db.transaction() as session:
        return catalog.offered_base_models(session, call.query.category)


@routes.route(
    "POST",
    "/tars-models",
    guard=developer("models:write"),
    body=TarsModelIn,
    out=TarsModelOut,
    status=201,
    errors=(*DEVELOPER_ERRORS, BaseModelNotFound, BaseModelInactive, InvalidOverrides, SlugTaken),
    links=(Link("id", ABOUT_A_MODEL),),
)
def create(call: Call[Developer, TarsModelIn, None]) -> TarsModelOut:
    """Makes a draft; the same request again within a minute answers the same draft."""
    with runtime().db.transaction() as session:
        return catalog.create_model(session, call.principal.id, call.body)


@routes.route(
    "GET",
    "/tars-models",
    guard=developer("models:read"),
    query=TarsModelsQuery,
    out=Page[TarsModelItem],
    errors=DEVELOPER_ERRORS,
    links=(Link("0/id", ABOUT_A_MODEL),),
)
def models(call: Call[Developer, None, TarsModelsQuery]) -> Page[TarsModelItem]:
    """Lists the caller's models, the newest first."""
    with runtime().db.transaction() as session:
        return catalog.models_of(session, call.principal.id, call.query)


@routes.route(
    "GET",
    "/tars-models/<model_id>",
    guard=developer("models:read"),
    out=TarsModelOut,
    errors=NO_SUCH_MODEL,
)
def model(call: Call[Developer, None, None]) -> TarsModelOut:
    """One of the caller's models."""
    with runtime().db.transaction() as session:
        return catalog.model_of(session, call.uuid("model_id"), call.principal.id)


def change(call: Call[Developer, TarsModelChanges, None]) -> TarsModelOut:
    """Changes the fields that are given; a published model's configuration is versioned."""
    with runtime().db.transaction() as session:
        return catalog.change_model(session, call.uuid("model_id"), call.principal.id, call.body)


for _method in ("PUT", "PATCH"):
    routes.route(
        _method,
        "/tars-models/<model_id>",
        guard=developer("models:write"),
        body=TarsModelChanges,
        out=TarsModelOut,
        errors=(*NO_SUCH_MODEL, FrozenField, InvalidOverrides, SlugTaken),
    )(change)


@routes.route(
    "DELETE",
    "/tars-models/<model_id>",
    guard=developer("models:write"),
    status=204,
    errors=(*NO_SUCH_MODEL, InvalidStatus),
)
def delete(call: Call[Developer, None, None]) -> None:
    """Deletes a draft or an archived model; its runs stay."""
    with runtime().db.transaction() as session:
        catalog.delete_model(session, call.uuid("model_id"), call.principal.id)
    _note(call, "delete")


@routes.route(
    "POST",
    "/tars-models/<model_id>/publish",
    guard=developer("models:write"),
    body=PublishIn,
    out=TarsModelOut,
    errors=(*NO_SUCH_MODEL, UnsupportedAction, NotPublishable),
)
def publish(call: Call[Developer, PublishIn, None]) -> TarsModelOut:
    """Publishes the model, or archives it with {"action": "archive"}."""
    with runtime().db.transaction() as session:
        shown = catalog.act(session, call.uuid("model_id"), call.principal.id, call.body.action)
    _note(call, call.body.action)
    return shown


@routes.route(
    "POST",
    "/tars-models/<model_id>/archive",
    guard=developer("models:write"),
    out=TarsModelOut,
    errors=NO_SUCH_MODEL,
)
def archive(call: Call[Developer, None, None]) -> TarsModelOut:
    """Takes the model off the market."""
    with runtime().db.transaction() as session:
        shown = catalog.archive(session, call.uuid("model_id"), call.principal.id)
    _note(call, "archive")
    return shown


@routes.route(
    "GET",
    "/tars-models/<model_id>/preview",
    guard=developer("models:read"),
    out=PreviewForm,
    errors=NO_SUCH_MODEL,
)
def preview_form(call: Call[Developer, None, None]) -> PreviewForm:
    """The form that consumers will see."""
    with runtime().db.transaction() as session:
        return catalog.preview_form(session, call.uuid("model_id"), call.principal.id)


@routes.route(
    "POST",
    "/tars-models/<model_id>/preview",
    guard=developer("models:read"),
    body=PreviewIn,
    out=PreviewPayload,
    errors=(*NO_SUCH_MODEL, InvalidInputs, BodyTooLarge),
)
def preview_payload(call: Call[Developer, PreviewIn, None]) -> PreviewPayload:
    """What the worker would get for these inputs; nothing is run."""
    with runtime().db.transaction() as session:
        return catalog.preview_payload(
            session, call.uuid("model_id"), call.principal.id, call.body.inputs
        )


def _note(call: Call[Developer, Any, None], action: str) -> None:
    """Who did what to which model, for the audit log."""
    audit.info(
        "tars model changed",
        action=action,
        actor=call.principal.firebase_uid,
        modelId=call.path["model_id"],
    )
