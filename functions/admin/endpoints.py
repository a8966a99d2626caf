"""RunPod endpoints, for staff (contract 1.10)."""

from common.catalog import service as catalog
from common.catalog.schemas.staff import EndpointChanges, EndpointIn, EndpointOut, EndpointsQuery
from common.errors import EndpointNotFound, EndpointTaken, NotAnAdmin
from common.gateways.identity import Identity
from common.http import Call, Page
from common.http.app import Routes
from common.runtime import runtime
from functions.admin.audit import note
from functions.admin.guards import staff

routes = Routes()
NO_SUCH_ENDPOINT = (NotAnAdmin, EndpointNotFound)


@routes.route(
    "POST",
    "/endpoints",
    guard=staff,
    body=EndpointIn,
    out=EndpointOut,
    status=201,
    errors=(NotAnAdmin, EndpointTaken),
)
def create(call: Call[Identity, EndpointIn, None]) -> EndpointOut:
    """Registers an endpoint."""
    with runtime().db.transaction() as session:
        made = catalog.create_endpoint(session, call.body)
    note(call, "create endpoint", made.id)
    return made


@routes.route(
    "GET",
    "/endpoints",
    guard=staff,
    query=EndpointsQuery,
    out=Page[EndpointOut],
    errors=(NotAnAdmin,),
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
        changed = catalog.change_endpoint(session, call.uuid("endpoint_id"), call.body)
    note(call, "change endpoint", changed.id)
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
    note(call, "retire endpoint", call.uuid("endpoint_id"))
