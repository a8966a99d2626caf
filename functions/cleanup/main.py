"""cleanup: called by Cloud Scheduler only. Takes up each minute what anything else left behind."""

from typing import Any

from werkzeug.wrappers import Request, Response

from common import needs
from common.analytics import service as analytics
from common.auth import require_invoker
from common.catalog import service as catalog
from common.events import service as events
from common.executions import service as executions
from common.http import App, Call, Out
from common.http.health import add_health
from common.payments import service as payments
from common.payments.schemas import PaymentsSwept, Reconciled
from common.runtime import runtime
from common.traffic import service as traffic
from common.uploads import service as uploads
from common.webhooks import service as webhooks


class SweepDone(Out):
    """How much of each kind the sweep took up."""

    expired: int
    relayed: int
    woken: int
    folded: int
    tallied: int
    deliveries: int


class CancelsDone(Out):
    """How many jobs RunPod was told to stop."""

    cancels: int


class AuditDone(Out):
    """How many invariants are broken; each is logged at CRITICAL."""

    violations: int


class EndpointsAwake(Out):
    """How many endpoints got back the workers that RunPod had taken."""

    woken: int


def invoker(call: Call[Any, Any, Any]) -> None:
    """Lets the scheduler's service account in and nobody else."""
    parts = runtime()
    audience = parts.settings.cleanup_target_url
    require_invoker(parts.invokers, call.header, audience)


app = App(
    "cleanup",
    title="Tarsify cleanup (internal)",
    prefixes=(),
    settings=lambda: runtime().settings,
    needs=needs.INTERNAL + needs.RUNS + needs.STRIPE + ("cleanup_target_url",),
)
add_health(app, runtime)


@app.route("POST", "/sweep", guard=invoker, out=SweepDone)
def sweep(_call: Call[None, None, None]) -> SweepDone:
    """Each minute: stale executions, outbox, deliveries, folding, what need not be kept."""
    parts = runtime()
    swept = executions.sweep(parts)
    deliveries = webhooks.deliver_overdue(parts)
    with parts.db.step() as connection:
        tallied = catalog.fold_run_tallies(connection)
        for kept in (traffic, events, webhooks, uploads):
            kept.forget(connection, parts.clock.now())
    return SweepDone(
        expired=swept.expired,
        relayed=swept.relayed,
        woken=swept.woken,
        folded=swept.folded,
        tallied=tallied,
        deliveries=deliveries,
    )


@app.route("POST", "/cancels", guard=invoker, out=CancelsDone)
def cancels(_call: Call[None, None, None]) -> CancelsDone:
    """Each minute: jobs that nobody waits for are stopped. Apart from the sweep, so that neither
    keeps the other from its work."""
    return CancelsDone(cancels=executions.send_cancels(runtime()))


@app.route("POST", "/payments", guard=invoker, out=PaymentsSwept)
def sweep_payments(_call: Call[None, None, None]) -> PaymentsSwept:
    """Each minute: payments whose webhook is late, refunds and payouts left unclear."""
    return payments.sweep_payments(runtime())


@app.route("POST", "/reconcile", guard=invoker, out=Reconciled)
def reconcile(_call: Call[None, None, None]) -> Reconciled:
    """Each hour: our books against those of Stripe and RunPod."""
    parts = runtime()
    analytics.compare_bills(parts)
    return payments.reconcile(parts)


@app.route("POST", "/endpoints", guard=invoker, out=EndpointsAwake)
def endpoints(_call: Call[None, None, None]) -> EndpointsAwake:
    """Each hour: endpoints that RunPod put to sleep for want of traffic."""
    return EndpointsAwake(woken=catalog.keep_awake(runtime()))


@app.route("POST", "/audit", guard=invoker, out=AuditDone)
def audit(_call: Call[None, None, None]) -> AuditDone:
    """Each hour: the ledger's and the executions' invariants."""
    return AuditDone(violations=executions.audit(runtime()))


def cleanup(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
