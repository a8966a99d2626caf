"""tasks: called by Cloud Tasks only. Each route wakes one execution, or one
delivery, and does what is due on it.

Any answer of 2xx ends a task; 500 lets the queue try again with its back-off. Waking twice, late
or out of order is harmless: the execution's row decides.
"""

from typing import Any

from werkzeug.wrappers import Request, Response

from common import needs
from common.auth import require_invoker
from common.executions import service as executions
from common.executions.messages import ExecutionTask
from common.http import App, Call, Out
from common.http.health import add_health
from common.logs import add_to_log
from common.runtime import runtime
from common.webhooks import service as webhooks
from common.webhooks.messages import DeliveryTask


class TaskDone(Out):
    """What waking it led to."""

    effect: str


def invoker(call: Call[Any, Any, Any]) -> None:
    """Lets the queue's service account in and nobody else."""
    parts = runtime()
    audience = parts.settings.tasks_target_url
    require_invoker(parts.invokers, call.header, audience)


app = App(
    "tasks",
    title="Tarsify tasks (internal)",
    prefixes=(),
    settings=lambda: runtime().settings,
    needs=needs.INTERNAL + needs.RUNS,
)
add_health(app, runtime)


@app.route("POST", "/submit", guard=invoker, body=ExecutionTask, out=TaskDone)
def submit(call: Call[None, ExecutionTask, None]) -> TaskDone:
    """Begins an attempt whose time has come."""
    add_to_log(executionId=str(call.body.execution_id))
    return TaskDone(effect=executions.watch(runtime(), call.body.execution_id))


@app.route("POST", "/poll", guard=invoker, body=ExecutionTask, out=TaskDone)
def poll(call: Call[None, ExecutionTask, None]) -> TaskDone:
    """Looks at a running job and sets the next alarm."""
    add_to_log(executionId=str(call.body.execution_id))
    return TaskDone(effect=executions.watch(runtime(), call.body.execution_id))


@app.route("POST", "/timeout", guard=invoker, body=ExecutionTask, out=TaskDone)
def timeout(call: Call[None, ExecutionTask, None]) -> TaskDone:
    """Looks a last time at a job whose deadline has passed."""
    add_to_log(executionId=str(call.body.execution_id))
    return TaskDone(effect=executions.watch(runtime(), call.body.execution_id))


@app.route("POST", "/deliver", guard=invoker, body=DeliveryTask, out=TaskDone)
def deliver(call: Call[None, DeliveryTask, None]) -> TaskDone:
    """Tells a webhook of an event."""
    return TaskDone(effect=webhooks.deliver(runtime(), call.body.delivery_id))


def tasks(request: Request) -> Response:
    """The functions-framework target."""
    return app(request)
