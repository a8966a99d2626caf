"""RunPod endpoints, for staff (contract 1.10)."""

from common.catalog import service as catalog
from common.catalog.schemas.staff import EndpointChanges, EndpointIn, EndpointOut, EndpointsQuery
from common.errors import EndpointNotFound, EndpointTaken, NotAnAdmin
from common.gateways.identity import Identity
from common.http import Call, Link, Page
from common.http.app import Routes
from common.runtime import runtime
from functions.admin.audit import note
from functions.admin.guards import staff

routes = Routes()
NO_SUCH_ENDPOINT = (NotAnAdmin, EndpointNotFound)
ABOUT_AN_ENDPOINT = tuple(
    f"{method} /endpoints/<endpoint_id>" for method in ("GET", "PUT", "PATCH", "DELETE")
)


@routes.route(
    "POST",
    "/endpoints",
    guard=staff,
    body=EndpointIn,
    out=EndpointOut,
    status=201,
    errors=(NotAnAdmin, EndpointTaken),
    links=(Link("id", ABOUT_AN_ENDPOINT),),
)
def create(call: Call[Identity, EndpointIn, None]) -> EndpointOut:
    """Registers an endpoint."""
    with runtime().db.transaction() as session:
        made = catalog.create_endpoint(session, call.body)
        note(session, call, "create endpoint", made.id, after=made)
    return made


@routes.route(
    "GET",
    "/endpoints",
    guard=staff,
    query=EndpointsQuery,
    out=Page[EndpointOut],
    errors=(NotAnAdmin,),
    links=(Link("0/id", ABOUT_AN_ENDPOINT),),
)
def endpoints(call: Call[Identity, None, EndpointsQuery]) -> Page[EndpointOut]:
    """Lists endpoints, the newest first."""
    with runtime().db.transaction() as session:
        return catalog.endpoints(session, call.query)


@routes.route(
    "GET", "/endpoints/<endpoint_id>", guard=staff, out=EndpointOut, errors=NO_SUCH_ENDPOINT
)
def endpoint(call: Call[Identity, None, None]) -> EndpointOut:
    """One endpoint."""
    with runtime().db.transaction() as session:
        return catalog.endpoint_of(session, call.uuid("endpoint_id"))


def change(call: Call[Identity, EndpointChanges, None]) -> EndpointOut:
    """Changes the fields that are given."""
    with runtime().db.transaction() as session:
        earlier = catalog.endpoint_of(session, call.uuid("endpoint_id"))
        changed = catalog.change_endpoint(session, call.uuid("endpoint_id"), call.body)
        note(session, call, "change endpoint", changed.id, before=earlier, after=changed)
    return changed


for _method in ("PUT", "PATCH"):
    routes.route(
        _method,
        "/endpoints/<endpoint_id>",
        guard=staff,
        body=EndpointChanges,
        out=EndpointOut,
        errors=NO_SUCH_ENDPOINT,
    )(change)


@routes.route(
    "DELETE", "/endpoints/<endpoint_id>", guard=staff, status=204, errors=NO_SUCH_ENDPOINT
)
def retire(call: Call[Identity, None, None]) -> None:
    """Switches an endpoint off."""
    with runtime().db.transaction() as session:
        catalog.retire_endpoint(session, call.uuid("endpoint_id"))
        note(session, call, "retire endpoint", call.uuid("endpoint_id"))
