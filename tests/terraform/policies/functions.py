"""Functions: deployed, told what they need, each someone of its own, and not too many of them."""

from __future__ import annotations

from collections.abc import Iterator

from common.executions.waiting import LONGEST_SECONDS
from common.needs import missing
from common.settings import Settings, read
from tests.http.functions import APPS
from tests.terraform.plan import Plan
from tests.terraform.policies.access import SECRET_FIELDS

OF_THE_SERVER = {"THREADS", "MALLOC_ARENA_MAX"}  # functions-framework's, the C library's
BESIDE_WAITING_SECONDS = 40  # what a request of that kind does before and after
# Enough like real ones to be accepted.
STAND_INS = {"STRIPE_SECRET_KEY": {"prod": "sk_live_x"}}


def every_function_is_deployed(plan: Plan) -> Iterator[str]:
    for name in plan.functions.keys() ^ APPS.keys():
        yield f"{name} is in functions/ or in the plan, and not in both"


def variables_are_fields_of_the_settings(plan: Plan) -> Iterator[str]:
    known = {name.upper() for name in Settings.model_fields}
    for name, function in plan.functions.items():
        for variable in function.environment.keys() - known - OF_THE_SERVER:
            yield f"{name}: nothing reads {variable}"
        for variable in function.environment.keys() & SECRET_FIELDS:
            yield f"{name}: {variable} is a secret, and stands in the open"


def functions_are_told_what_they_need(plan: Plan) -> Iterator[str]:
    """Read by the code itself, as the function would at its start."""
    for name, function in plan.functions.items():
        environment = function.environment
        installation = environment.get("ENVIRONMENT", "")
        secrets = {
            key: STAND_INS.get(key, {}).get(installation, "given") for key in function.secrets
        }
        settings = read({**environment, **secrets, "K_SERVICE": name})
        for variable in missing(settings, APPS[name].needs):
            yield f"{name} is not told {variable}"


def servers_have_a_thread_for_each_request(plan: Plan) -> Iterator[str]:
    for name, function in plan.functions.items():
        at_once = function.service["max_instance_request_concurrency"]
        threads = function.environment.get("THREADS")
        if threads != str(at_once):
            yield f"{name} takes {at_once} at once, with {threads} threads"


def requests_that_wait_end_before_their_function_must(plan: Plan) -> Iterator[str]:
    """A start waits after it was submitted, whose slowest answer is allowed for here."""
    settings = Settings()
    longest = {
        "marketplace": max(LONGEST_SECONDS, settings.stream_seconds),
        "studio": settings.test_run_wait_seconds,
    }
    for name, seconds in longest.items():
        has = plan.functions[name].service["timeout_seconds"]
        if has < seconds + BESIDE_WAITING_SECONDS:
            yield f"{name} has {has} s for requests that wait {seconds:.0f} s"


def each_function_is_someone_of_its_own(plan: Plan) -> Iterator[str]:
    accounts = {it.email for it in plan.of("google_service_account")}
    logins = {str(it["name"]) for it in plan.of("google_sql_user")}
    expected = {"db-migrate"} | {f"fn-{name}" for name in plan.functions}
    seen: set[str] = set()
    for name, function in plan.functions.items():
        login = function.account.removesuffix(".gserviceaccount.com")
        if function.account in seen or function.account not in accounts:
            yield f"{name} runs as {function.account}, which is not its own"
        if login not in logins or function.environment.get("DB_USER") != login:
            yield f"{name} logs in as {function.environment.get('DB_USER')}"
        seen.add(function.account)
    if {login.partition("@")[0] for login in logins} != expected:
        yield f"logins are {sorted(logins)}"


def migrations_run_once_as_the_owner(plan: Plan) -> Iterator[str]:
    job = plan.one("google_cloud_run_v2_job")
    (run,) = job["template"][0]["template"]
    told = {it["name"]: it["value"] for it in run["containers"][0]["env"]}
    logins = {f.environment["DB_USER"] for f in plan.functions.values()}
    if run["max_retries"] != 0:
        yield "a migration that failed is tried again"
    if told["DB_USER"] != run["service_account"].removesuffix(".gserviceaccount.com"):
        yield f"migrations log in as {told['DB_USER']}, and run as {run['service_account']}"
    if set(told["MEMBERS"].split(",")) != logins:
        yield f"migrations let {told['MEMBERS']} in"


POLICIES = (
    every_function_is_deployed,
    variables_are_fields_of_the_settings,
    functions_are_told_what_they_need,
    servers_have_a_thread_for_each_request,
    requests_that_wait_end_before_their_function_must,
    each_function_is_someone_of_its_own,
    migrations_run_once_as_the_owner,
)
