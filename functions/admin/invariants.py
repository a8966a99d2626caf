"""The books checked on request, for staff: the same rules that cleanup checks each hour."""

from common.errors import NotAnAdmin
from common.executions import service as executions
from common.executions.schemas import AuditOut
from common.gateways.identity import Identity
from common.http import Call
from common.http.app import Routes
from common.runtime import runtime
from functions.admin.guards import staff

routes = Routes()


@routes.route("GET", "/audit", guard=staff, out=AuditOut, errors=(NotAnAdmin,))
def audit(_call: Call[Identity, None, None]) -> AuditOut:
    """Checks every invariant of ledger and executions now."""
    return executions.audit_shown(runtime())
