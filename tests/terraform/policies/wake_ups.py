"""Wake-ups: queues and scheduled jobs are those that the code knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from common.gateways.tasks import KINDS
from common.needs import RUNS
from common.settings import Settings
from tests.http.functions import APPS
from tests.terraform.plan import Plan, Resource


def each_kind_of_alarm_has_a_queue_that_is_filled(plan: Plan) -> Iterator[str]:
    needing = {name for name, app in APPS.items() if set(RUNS) <= set(app.needs)}
    expected = {plan.functions[name].member for name in needing}
    wanted = {f"{Settings().tasks_queue}-{kind}" for kind in KINDS}
    queues = {str(it["name"]) for it in plan.of("google_cloud_tasks_queue")}
    if queues != wanted:
        yield f"queues are {sorted(queues)}, and the code fills {sorted(wanted)}"
    for queue in queues:
        enqueuers = plan.members("google_cloud_tasks_queue_iam_member", name=queue)
        if enqueuers != expected:
            yield f"{queue} is filled by {sorted(enqueuers)}, and by the code of {sorted(needing)}"
    acting = plan.members(
        "google_service_account_iam_member",
        role="roles/iam.serviceAccountUser",
        service_account_id=_name_of(plan, "task-invoker"),
    )
    if expected - acting:
        yield f"{sorted(expected - acting)} may not put the invoker's token into a task"


def queues_ask_no_more_than_tasks_can_take(plan: Plan) -> Iterator[str]:
    service = plan.functions["tasks"].service
    most = service["max_instance_count"] * service["max_instance_request_concurrency"]
    asked = sum(
        it["rate_limits"][0]["max_concurrent_dispatches"]
        for it in plan.of("google_cloud_tasks_queue")
    )
    if asked > most:
        yield f"queues ask for {asked} requests at once, and tasks takes {most}"


def jobs_are_the_routes_of_cleanup(plan: Plan) -> Iterator[str]:
    target = plan.functions["cleanup"].environment["CLEANUP_TARGET_URL"]
    routes = {it.path: it.summary for it in APPS["cleanup"].table if it.method == "POST"}
    jobs = {
        it["http_target"][0]["uri"].removeprefix(target): it
        for it in plan.of("google_cloud_scheduler_job")
    }
    for path in jobs.keys() ^ routes.keys():
        yield f"{path} is a route of cleanup or a job, and not both"
    for path in jobs.keys() & routes.keys():
        yield from (f"{path}: {what}" for what in _wrong_with_job(plan, jobs[path], routes[path]))


POLICIES = (
    each_kind_of_alarm_has_a_queue_that_is_filled,
    queues_ask_no_more_than_tasks_can_take,
    jobs_are_the_routes_of_cleanup,
)


def _wrong_with_job(plan: Plan, job: Resource, summary: str) -> Iterator[str]:
    """The rhythm that the route's docstring tells, the retries of the decision, and the token."""
    schedule, (retry,), (call,) = job["schedule"], job["retry_config"], job["http_target"]
    (token,) = call["oidc_token"]
    cleanup = plan.functions["cleanup"].environment
    rhythm = "Each minute" if schedule == "* * * * *" else "Each hour"
    if not summary.startswith(rhythm) or not re.fullmatch(r"(\*|\d+) \* \* \* \*", schedule):
        yield f"runs at {schedule}, and says {summary!r}"
    delays = (retry["retry_count"], retry["min_backoff_duration"], retry["max_backoff_duration"])
    if delays != (3, "5s", "20s"):
        yield f"is tried again {delays}"
    if token["audience"] != cleanup["CLEANUP_TARGET_URL"]:
        yield f"carries a token for {token['audience']}"
    if token["service_account_email"] != cleanup["INVOKER_EMAIL"]:
        yield f"is called by {token['service_account_email']}"


def _name_of(plan: Plan, account: str) -> str:
    (found,) = (it for it in plan.of("google_service_account") if it["account_id"] == account)
    return f"projects/{found['project']}/serviceAccounts/{found.email}"
