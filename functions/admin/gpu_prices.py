"""What GPU time costs us, by class and day. Old runs keep the price they were started at."""

from common.catalog import service as catalog
from common.catalog.schemas.staff import GpuPriceIn, GpuPriceOut
from common.errors import Conflict, NotAnAdmin
from common.gateways.identity import Identity
from common.http import Call
from common.http.app import Routes
from common.runtime import runtime
from functions.admin.audit import note
from functions.admin.guards import staff
from functions.admin.money import TERMS

routes = Routes()


@routes.route("GET", "/gpu-prices", guard=staff, out=list[GpuPriceOut], errors=(NotAnAdmin,))
def gpu_prices(_call: Call[Identity, None, None]) -> list[GpuPriceOut]:
    """Lists every dated price, by class, the newest first."""
    with runtime().db.transaction() as session:
        return catalog.gpu_prices(session)


@routes.route(
    "POST",
    "/gpu-prices",
    guard=staff,
    body=GpuPriceIn,
    out=GpuPriceOut,
    status=201,
    errors=(NotAnAdmin, Conflict),
)
def add_gpu_price(call: Call[Identity, GpuPriceIn, None]) -> GpuPriceOut:
    """Adds a price from a moment on; prices that were are never changed."""
    with runtime().db.transaction() as session:
        made = catalog.add_gpu_price(session, call.body)
        note(session, call, "add GPU price", TERMS, after=made)
    return made
