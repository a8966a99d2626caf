"""cleanup: called by Cloud Scheduler only. Takes up each minute what anything else left behind."""

from typing import Any

from werkzeug.wrappers import Request, Response

from common.auth import require_invoker
from common.catalog import service as catalog
from common.executions import service as executions
from common.http import App, Call, Out
from common.http.health import add_health
from common.runtime import runtime


class SweepDone(Out):
    """How much of each kind the sweep took up."""

    relayed: int
    woken: int
    cancels: int
    folded: int
    tallied: int


class AuditDone(Out):
    """How many invariants are broken; each is logged at CRITICAL."""

    violations: int


def invoker(call: Call[Any, Any, Any]) -> None:
    """Lets the scheduler's service account in and nobody else."""
    parts = runtime()
    audience = parts.settings.cleanup_target_url
    require_invoker(parts.invokers, call.header("Authorization"), audience)


app = App(
    "cleanup", title="Tarsify cleanup (internal)", prefixes=(), settings=lambda: runtime().settings
)
add_health(app, runtime)


@app.route("POST", "/sweep", guard=invoker, out=SweepDone)
def sweep(_call: Call[None, None, None]) -> SweepDone:
    """Each minute: stale executions, outbox, wanted cancels, folding."""
    parts = runtime()
    swept = executions.sweep(parts)
    with parts.db.step() as connection:
        tallied = catalog.fold_run_tallies(connection)
    return SweepDone(
        relayed=swept.relayed,
        woken=swept.woken,
        cancels=swept.cancels,
        folded=swept.folded,
        tallied=tallied,
    )


@app.route("POST", "/audit", guard=invoker, out=AuditDone)
def audit(_call: Call[None, None, None]) -> AuditDone:
    """Each hour: the ledger's and the executions' invariants."""
    return AuditDone(violations=executions.audit(runtime()))


def cleanup(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
