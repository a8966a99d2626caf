"""For each policy, what would break it: a change to a plan that must not go unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Change = Callable[[Document], None]


@dataclass(frozen=True)
class Breach:
    """One change to a plan, and the policy that must see it."""

    policy: str
    what: str
    commit: Change


def after(document: Document, kind: str, **where: object) -> dict[str, Any]:
    """The planned values of the one resource of a kind with these values."""
    (found,) = (
        it["change"]["after"]
        for it in document["resource_changes"]
        if it["type"] == kind
        and all(it["change"]["after"].get(name) == value for name, value in where.items())
    )
    values: dict[str, Any] = found
    return values


def service(document: Document, function: str) -> dict[str, Any]:
    found = after(document, "google_cloudfunctions2_function", name=f"tarsify-{function}")
    config: dict[str, Any] = found["service_config"][0]
    return config


def add(document: Document, kind: str, **values: object) -> None:
    change = {"actions": ["create"], "after": values, "after_unknown": {}}
    document["resource_changes"].append({"address": f"{kind}.new", "type": kind, "change": change})


def remove(document: Document, kind: str, **where: object) -> None:
    gone = after(document, kind, **where)
    document["resource_changes"] = [
        it for it in document["resource_changes"] if it["change"]["after"] is not gone
    ]


def put(kind: str, where: dict[str, object], path: tuple[str | int, ...], value: object) -> Change:
    """A change of one value somewhere inside a resource."""

    def commit(document: Document) -> None:
        inner: Any = after(document, kind, **where)
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return commit


def told(function: str, name: str, value: str | None) -> Change:
    """A change of one variable of a function; None takes it away."""

    def commit(document: Document) -> None:
        variables = service(document, function)["environment_variables"]
        variables.pop(name, None)
        if value is not None:
            variables[name] = value

    return commit


def serves(function: str, name: str, value: object) -> Change:
    return lambda document: service(document, function).update({name: value})


def added(kind: str, **values: object) -> Change:
    return lambda document: add(document, kind, **values)


def removed(kind: str, **where: object) -> Change:
    return lambda document: remove(document, kind, **where)


PROJECT = "tarsify-prod"
ACCOUNT = f"serviceAccount:fn-{{}}@{PROJECT}.iam.gserviceaccount.com"
ADMIN, TASKS = ACCOUNT.format("admin"), ACCOUNT.format("tasks")
CALLERS = "google_cloud_run_v2_service_iam_member"
DATABASE = "google_sql_database_instance"
JOB = "google_cloud_scheduler_job"
TRIGGER = "google_cloudbuild_trigger"
SQL: tuple[str | int, ...] = ("settings", 0)
RULES: tuple[str | int, ...] = ("path_matcher", 0, "path_rule")


def _lead_admin_to_studio(document: Document) -> None:
    rules = after(document, "google_compute_url_map", name="front-door")["path_matcher"][0]
    by_function = {rule["service"].rpartition("-")[2]: rule for rule in rules["path_rule"]}
    by_function["studio"]["paths"] += by_function["admin"]["paths"]
    by_function["admin"]["paths"] = []


def _swap_endpoints(document: Document) -> None:
    group = "google_compute_region_network_endpoint_group"
    after(document, group, name="function-admin")["cloud_run"][0]["service"] = "tarsify-studio"


def _lose_a_function(document: Document) -> None:
    remove(document, "google_cloudfunctions2_function", name="tarsify-payments")


def _give_tasks_another_secret(document: Document) -> None:
    secret = {"key": "STRIPE_SECRET_KEY", "secret": "stripe-secret-key", "version": "1"}
    service(document, "tasks")["secret_environment_variables"].append(secret)


def _read_the_latest(document: Document) -> None:
    service(document, "tasks")["secret_environment_variables"][0]["version"] = "latest"


def _unshield(document: Document) -> None:
    for it in document["resource_changes"]:
        if it["type"] == "google_compute_backend_service":
            it["change"]["after"]["security_policy"] = None
            it["change"]["after_unknown"]["security_policy"] = False


def _throttle_in_preview(document: Document) -> None:
    for rule in after(document, "google_compute_security_policy", name="front-door")["rule"]:
        rule["preview"] = True


def _stop_the_redirect(document: Document) -> None:
    after(document, "google_compute_url_map", name="front-door-http")["default_url_redirect"] = []


def _call_every_other_minute(document: Document) -> None:
    after(document, JOB, name="tarsify-sweep")["schedule"] = "*/2 * * * *"


BREACHES = [
    Breach(policy, what, commit)
    for policy, what, commit in (
        ("every_function_is_deployed", "a function is lost", _lose_a_function),
        (
            "only_the_front_doors_functions_are_open",
            "tasks is reached from outside",
            serves("tasks", "ingress_settings", "ALLOW_ALL"),
        ),
        (
            "only_the_front_doors_functions_are_open",
            "everybody may call tasks",
            added(CALLERS, name="tarsify-tasks", role="roles/run.invoker", member="allUsers"),
        ),
        (
            "only_the_front_doors_functions_are_open",
            "another account may call cleanup",
            added(CALLERS, name="tarsify-cleanup", role="roles/run.invoker", member=ADMIN),
        ),
        (
            "only_the_front_doors_functions_are_open",
            "admin believes its callers",
            told("admin", "PRIVATE_SERVICE", "true"),
        ),
        (
            "nobody_has_a_primitive_role",
            "an editor",
            added("google_project_iam_member", role="roles/editor", member=ADMIN),
        ),
        (
            "functions_have_the_projects_roles_that_they_need",
            "a function reads every bucket",
            added("google_project_iam_member", role="roles/storage.admin", member=TASKS),
        ),
        (
            "pages_call_only_the_functions_of_their_audience",
            "a developer's page calls for consumers",
            told("marketplace", "CORS_ORIGINS", "https://studio.tarsify.example"),
        ),
        (
            "releases_may_read_what_they_plan",
            "the deployer may not read the consumers' project",
            removed(
                "google_project_iam_member",
                role="roles/iam.securityReviewer",
                project="tarsify-prod-users",
            ),
        ),
        (
            "releases_may_read_what_they_plan",
            "the deployer may not read the budget",
            removed("google_billing_account_iam_member"),
        ),
        (
            "builds_may_read_the_copies_of_sources",
            "the builder may read our own bucket alone",
            removed("google_project_iam_member", role="roles/storage.objectViewer"),
        ),
        (
            "each_kind_of_alarm_has_a_queue_that_is_filled",
            "a queue that nobody fills",
            added("google_cloud_tasks_queue", name="executions-forgotten"),
        ),
        (
            "each_kind_of_alarm_has_a_queue_that_is_filled",
            "a queue is lost",
            removed("google_cloud_tasks_queue", name="executions-poll"),
        ),
        (
            "each_kind_of_alarm_has_a_queue_that_is_filled",
            "tasks may not fill the polls' queue",
            removed("google_cloud_tasks_queue_iam_member", name="executions-poll", member=TASKS),
        ),
        (
            "each_kind_of_alarm_has_a_queue_that_is_filled",
            "tasks may not act as the invoker",
            removed(
                "google_service_account_iam_member",
                member=TASKS,
                role="roles/iam.serviceAccountUser",
            ),
        ),
        (
            "queues_ask_no_more_than_tasks_can_take",
            "fewer instances of tasks",
            serves("tasks", "max_instance_count", 1),
        ),
        (
            "each_secret_has_exactly_its_readers",
            "a reader too many",
            added(
                "google_secret_manager_secret_iam_member",
                secret_id="stripe-secret-key",
                member=TASKS,
            ),
        ),
        (
            "each_secret_has_exactly_its_readers",
            "a reader too few",
            removed(
                "google_secret_manager_secret_iam_member",
                secret_id="stripe-secret-key",
                member=ADMIN,
            ),
        ),
        (
            "each_secret_has_exactly_its_readers",
            "a secret that nobody uses",
            added("google_secret_manager_secret", secret_id="old-key"),
        ),
        ("functions_get_only_the_secrets_they_need", "one too many", _give_tasks_another_secret),
        ("functions_get_only_the_secrets_they_need", "the latest version", _read_the_latest),
        (
            "no_secret_is_in_the_plan",
            "a key's value in a variable",
            told("admin", "STRIPE_API_URL", "sk_live_51abc"),
        ),
        (
            "no_secret_is_in_the_plan",
            "the workers' key",
            added("google_storage_hmac_key", service_account_email="worker-uploads@x"),
        ),
        (
            "no_secret_is_in_the_plan",
            "a password",
            added("google_sql_user", name="someone", password="correct horse"),
        ),
        (
            "buckets_are_private",
            "results may be made public",
            put(
                "google_storage_bucket",
                {"name": f"{PROJECT}-outputs"},
                ("public_access_prevention",),
                "inherited",
            ),
        ),
        (
            "buckets_are_private",
            "everybody reads what workers hand in",
            added(
                "google_storage_bucket_iam_member",
                bucket=f"{PROJECT}-uploads",
                role="roles/storage.objectViewer",
                member="allUsers",
            ),
        ),
        (
            "results_are_written_once",
            "a function may delete results",
            added(
                "google_storage_bucket_iam_member",
                bucket=f"{PROJECT}-outputs",
                role="roles/storage.objectUser",
                member=TASKS,
            ),
        ),
        (
            "connections_are_enough",
            "more instances of marketplace",
            serves("marketplace", "max_instance_count", 60),
        ),
        (
            "connections_are_enough",
            "larger pools",
            told("marketplace", "DB_POOL_SIZE", "12"),
        ),
        (
            "the_database_is_closed_and_kept",
            "an address outside",
            put(DATABASE, {}, (*SQL, "ip_configuration", 0, "ipv4_enabled"), value=True),
        ),
        (
            "the_database_is_closed_and_kept",
            "unencrypted connections",
            put(
                DATABASE,
                {},
                (*SQL, "ip_configuration", 0, "ssl_mode"),
                "ALLOW_UNENCRYPTED_AND_ENCRYPTED",
            ),
        ),
        (
            "the_database_is_closed_and_kept",
            "no way back to a moment",
            put(
                DATABASE,
                {},
                (*SQL, "backup_configuration", 0, "point_in_time_recovery_enabled"),
                value=False,
            ),
        ),
        (
            "the_database_is_closed_and_kept",
            "a login with a password",
            added("google_sql_user", name="someone", type="BUILT_IN"),
        ),
        (
            "releases_are_told_what_the_build_asks",
            "a word that the build does not know",
            put(TRIGGER, {"name": "release"}, ("substitutions", "_NEWS"), "x"),
        ),
        (
            "releases_are_told_what_the_build_asks",
            "nothing is told",
            put(TRIGGER, {"name": "release"}, ("substitutions",), {}),
        ),
        (
            "releases_name_what_is_there",
            "another job",
            put(TRIGGER, {"name": "release"}, ("substitutions", "_MIGRATIONS_JOB"), "migrate"),
        ),
        (
            "production_waits_for_a_person",
            "no approval",
            put(
                TRIGGER,
                {"name": "release"},
                ("approval_config", 0, "approval_required"),
                value=False,
            ),
        ),
        (
            "proposals_are_tested_without_rights",
            "pull requests run as the deployer",
            added(
                TRIGGER,
                name="checks",
                service_account=f"projects/p/serviceAccounts/ci-deployer@{PROJECT}.iam.gserviceaccount.com",
                repository_event_config=[{"pull_request": [{"branch": "^main$"}]}],
            ),
        ),
        ("the_url_map_is_the_front_doors_table", "paths lead elsewhere", _lead_admin_to_studio),
        ("the_url_map_is_the_front_doors_table", "an endpoint is another's", _swap_endpoints),
        (
            "the_url_map_is_the_front_doors_table",
            "the web pages are gone",
            put(
                "google_compute_url_map",
                {"name": "front-door"},
                ("path_matcher", 0, "default_service"),
                "projects/p/global/backendServices/function-admin",
            ),
        ),
        ("http_leads_to_https_only", "http stays http", _stop_the_redirect),
        (
            "http_leads_to_https_only",
            "old encryption",
            put("google_compute_ssl_policy", {}, ("min_tls_version",), "TLS_1_0"),
        ),
        ("every_backend_has_its_shield", "no policy", _unshield),
        ("every_backend_has_its_shield", "a throttle that only watches", _throttle_in_preview),
        (
            "variables_are_fields_of_the_settings",
            "a variable that nothing reads",
            told("tasks", "TASK_QUEUE", "x"),
        ),
        (
            "variables_are_fields_of_the_settings",
            "a secret in the open",
            told("tasks", "RUNPOD_API_KEY", "x"),
        ),
        (
            "functions_are_told_what_they_need",
            "no place for results",
            told("callback", "OUTPUT_BUCKET", None),
        ),
        (
            "functions_are_told_what_they_need",
            "no database",
            told("admin", "CLOUD_SQL_INSTANCE", None),
        ),
        (
            "servers_have_a_thread_for_each_request",
            "fewer threads",
            told("marketplace", "THREADS", "4"),
        ),
        (
            "requests_that_wait_end_before_their_function_must",
            "a minute for a request that waits a minute",
            serves("marketplace", "timeout_seconds", 60),
        ),
        (
            "each_function_is_someone_of_its_own",
            "two share an account",
            serves(
                "studio", "service_account_email", f"fn-admin@{PROJECT}.iam.gserviceaccount.com"
            ),
        ),
        (
            "each_function_is_someone_of_its_own",
            "a login of another",
            told("studio", "DB_USER", f"fn-admin@{PROJECT}.iam"),
        ),
        (
            "each_function_is_someone_of_its_own",
            "a login is lost",
            removed("google_sql_user", name=f"fn-studio@{PROJECT}.iam"),
        ),
        (
            "migrations_run_once_as_the_owner",
            "they are tried again",
            put(
                "google_cloud_run_v2_job",
                {},
                ("template", 0, "template", 0, "max_retries"),
                value=3,
            ),
        ),
        (
            "migrations_run_once_as_the_owner",
            "they run as a function",
            put(
                "google_cloud_run_v2_job",
                {},
                ("template", 0, "template", 0, "service_account"),
                f"fn-admin@{PROJECT}.iam.gserviceaccount.com",
            ),
        ),
        ("jobs_are_the_routes_of_cleanup", "every other minute", _call_every_other_minute),
        (
            "jobs_are_the_routes_of_cleanup",
            "a route that nobody calls",
            removed(JOB, name="tarsify-cancels"),
        ),
        (
            "jobs_are_the_routes_of_cleanup",
            "no retries",
            put(JOB, {"name": "tarsify-sweep"}, ("retry_config", 0, "retry_count"), 0),
        ),
        (
            "jobs_are_the_routes_of_cleanup",
            "a token for someone else",
            put(
                JOB,
                {"name": "tarsify-audit"},
                ("http_target", 0, "oidc_token", 0, "audience"),
                "https://x",
            ),
        ),
    )
]
