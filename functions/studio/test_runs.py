"""A developer's test runs: free, recorded, and answered when they have ended."""

from common import logs
from common.accounts.service import Developer
from common.catalog import service as catalog
from common.errors import (
    InputsRefused,
    InvalidInputs,
    InvalidStatus,
    ModelNotFound,
    ModelUnavailable,
    TestQuotaUsed,
)
from common.executions import service as executions
from common.executions.schemas import TestRun, TestRunIn
from common.http import Call
from common.http.app import Routes
from common.runtime import runtime
from functions.studio.account import DEVELOPER_ERRORS
from functions.studio.guards import developer

routes = Routes()
TEST_BYTES = 10 * 1024 * 1024 + 64 * 1024


@routes.route(
    "POST",
    "/tars-models/<id>/test-run",
    guard=developer("models:write"),
    body=TestRunIn,
    out=TestRun,
    body_limit=TEST_BYTES,
    errors=(
        *DEVELOPER_ERRORS,
        ModelNotFound,
        ModelUnavailable,
        InvalidStatus,
        InvalidInputs,
        InputsRefused,
        TestQuotaUsed,
    ),
)
def test_run(call: Call[Developer, TestRunIn, None]) -> TestRun:
    """Runs the model once for its developer and waits for the result."""
    parts = runtime()
    with parts.db.transaction() as session:
        model = catalog.testable(session, call.uuid("id"), call.principal.id)
    logs.add_to_log(waits=True)
    sign = executions.signer(parts)
    return executions.test_run(parts, model, inputs=call.body.given, sign=sign)
