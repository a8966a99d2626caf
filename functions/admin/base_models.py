"""Base models, for staff (contract 1.10)."""

from common.catalog import service as catalog
from common.catalog.schemas.staff import (
    BaseModelAdmin,
    BaseModelChanges,
    BaseModelIn,
    BaseModelsQuery,
)
from common.errors import (
    BaseModelNotFound,
    BaseModelSlugTaken,
    EndpointNotFound,
    InvalidInputSchema,
    NotAnAdmin,
)
from common.gateways.identity import Identity
from common.http import Call, Link, Page
from common.http.app import Routes
from common.runtime import runtime
from functions.admin.audit import note
from functions.admin.guards import staff

routes = Routes()
NO_SUCH = (NotAnAdmin, BaseModelNotFound)
ABOUT_A_BASE_MODEL = tuple(
    f"{method} /base-models/<base_model_id>" for method in ("GET", "PUT", "PATCH", "DELETE")
)


@routes.route(
    "POST",
    "/base-models",
    guard=staff,
    body=BaseModelIn,
    out=BaseModelAdmin,
    status=201,
    errors=(NotAnAdmin, BaseModelSlugTaken, EndpointNotFound, InvalidInputSchema),
    links=(Link("id", ABOUT_A_BASE_MODEL),),
)
def create(call: Call[Identity, BaseModelIn, None]) -> BaseModelAdmin:
    """Registers a base model."""
    with runtime().db.transaction() as session:
        made = catalog.create_base_model(session, call.body)
        note(session, call, "create base model", made.id, after=made)
    return made


@routes.route(
    "GET",
    "/base-models",
    guard=staff,
    query=BaseModelsQuery,
    out=Page[BaseModelAdmin],
    errors=(NotAnAdmin,),
    links=(Link("0/id", ABOUT_A_BASE_MODEL),),
)
def base_models(call: Call[Identity, None, BaseModelsQuery]) -> Page[BaseModelAdmin]:
    """Lists base models, the newest first."""
    with runtime().db.transaction() as session:
        return catalog.base_models(session, call.query)


@routes.route(
    "GET",
    "/base-models/<base_model_id>",
    guard=staff,
    out=BaseModelAdmin,
    errors=NO_SUCH,
)
def base_model(call: Call[Identity, None, None]) -> BaseModelAdmin:
    """One base model."""
    with runtime().db.transaction() as session:
        return catalog.base_model_of(session, call.uuid("base_model_id"))


def change(call: Call[Identity, BaseModelChanges, None]) -> BaseModelAdmin:
    """Changes the fields that are given."""
    with runtime().db.transaction() as session:
        earlier = catalog.base_model_of(session, call.uuid("base_model_id"))
        changed = catalog.change_base_model(session, call.uuid("base_model_id"), call.body)
        note(session, call, "change base model", changed.id, before=earlier, after=changed)
    return changed


for _method in ("PUT", "PATCH"):
    routes.route(
        _method,
        "/base-models/<base_model_id>",
        guard=staff,
        body=BaseModelChanges,
        out=BaseModelAdmin,
        errors=(*NO_SUCH, EndpointNotFound, InvalidInputSchema),
    )(change)


@routes.route("DELETE", "/base-models/<base_model_id>", guard=staff, status=204, errors=NO_SUCH)
def retire(call: Call[Identity, None, None]) -> None:
    """Switches a base model off."""
    with runtime().db.transaction() as session:
        catalog.retire_base_model(session, call.uuid("base_model_id"))
        note(session, call, "retire base model", call.uuid("base_model_id"))
