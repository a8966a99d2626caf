"""What a plan of Terraform may not do."""

from typing import Any

import pytest

from infra.release.policy import KEEPS_DATA, function_of, violations
from tests.http.functions import APPS

PRIVATE = {"PRIVATE_SERVICE": "true"}


def planned(kind: str, after: dict[str, Any], *actions: str) -> dict[str, Any]:
    change = {"actions": list(actions or ("create",)), "after": after}
    return {"address": f"{kind}.it", "type": kind, "change": change}


def function(
    name: str, ingress: str, told: dict[str, str], *, lacks: str = "", later: str = ""
) -> dict[str, Any]:
    """A function that is told all it needs, but what it lacks; `later` is known after the apply."""
    needs = {it.upper() for it in APPS[name].needs} if name in APPS else set()
    variables = dict.fromkeys({"GCP_PROJECT", *needs} - {"PRIVATE_SERVICE", lacks, later}, "x")
    secrets = [{"key": it} for it in variables if "KEY" in it or "SECRETS" in it]
    plain = {it: value for it, value in variables.items() if {"key": it} not in secrets}
    service = {
        "ingress_settings": ingress,
        "environment_variables": {**plain, **told},
        "secret_environment_variables": secrets,
    }
    made = planned(
        "google_cloudfunctions2_function", {"name": f"tarsify-{name}", "service_config": [service]}
    )
    unknown = {"environment_variables": {later: True}} if later else {}
    made["change"]["after_unknown"] = {"service_config": [unknown]}
    return made


def invoker(service: str, member: str, role: str = "roles/run.invoker") -> dict[str, Any]:
    kind = "google_cloud_run_service_iam_member"
    return planned(kind, {"service": service, "member": member, "role": role})


ALLOWED = {
    "a table's home as it is": planned("google_sql_database_instance", {}, "update"),
    "a function that goes": planned("google_cloudfunctions2_function", {}, "delete"),
    "a public function behind the front door": function(
        "marketplace", "ALLOW_INTERNAL_AND_GCLB", {"RELEASE": "r7"}
    ),
    "an internal function that is closed": function("tasks", "ALLOW_INTERNAL_ONLY", PRIVATE),
    "a function whose variable is known only after the apply": function(
        "studio", "ALLOW_INTERNAL_AND_GCLB", {}, later="OUTPUT_BUCKET"
    ),
    "everybody at the front door": invoker("tarsify-studio", "allUsers"),
    "everybody at the web pages": planned(
        "google_storage_bucket_iam_member",
        {"bucket": "p-web", "member": "allUsers", "role": "roles/storage.legacyObjectReader"},
    ),
    "the invoker at an internal function": invoker("tarsify-tasks", "serviceAccount:invoker@x"),
    "a narrow role": planned("google_project_iam_member", {"role": "roles/cloudsql.client"}),
    "nothing at all": planned("google_project_service", {}, "no-op"),
}
REFUSED = {
    "everybody at tasks": invoker("tarsify-tasks", "allUsers"),
    "everybody at cleanup, by its path": invoker("projects/p/services/tarsify-cleanup", "allUsers"),
    "everybody signed in to Google": invoker("tarsify-tasks", "allAuthenticatedUsers"),
    "everybody in a bucket": planned(
        "google_storage_bucket_iam_member",
        {"bucket": "outputs", "member": "allUsers", "role": "roles/storage.objectViewer"},
    ),
    "everybody in another bucket": planned(
        "google_storage_bucket_iam_member",
        {"bucket": "p-outputs", "member": "allUsers", "role": "roles/storage.legacyObjectReader"},
    ),
    "everybody as a writer of web pages": planned(
        "google_storage_bucket_iam_member",
        {"bucket": "p-web", "member": "allUsers", "role": "roles/storage.objectUser"},
    ),
    "everybody, said in a list": planned(
        "google_storage_bucket_iam_binding", {"members": ["allUsers"], "role": "roles/x"}
    ),
    "everybody as more than a caller": invoker("tarsify-studio", "allUsers", "roles/run.admin"),
    "an internal function on the internet": function("tasks", "ALLOW_ALL", PRIVATE),
    "an internal function behind the front door": function(
        "cleanup", "ALLOW_INTERNAL_AND_GCLB", PRIVATE
    ),
    "an internal function without its check": function("tasks", "ALLOW_INTERNAL_ONLY", {}),
    "a public function that believes its callers": function(
        "admin", "ALLOW_INTERNAL_AND_GCLB", PRIVATE
    ),
    "a public function beside the front door": function("payments", "ALLOW_ALL", {}),
    "a function that nobody knows": function("debug", "ALLOW_INTERNAL_AND_GCLB", {}),
    "a function without a variable": function(
        "studio", "ALLOW_INTERNAL_AND_GCLB", {}, lacks="OUTPUT_BUCKET"
    ),
    "a function without a secret": function(
        "payments", "ALLOW_INTERNAL_AND_GCLB", {}, lacks="STRIPE_WEBHOOK_SECRETS"
    ),
    "an owner": planned("google_project_iam_member", {"role": "roles/owner"}),
    "an editor": planned("google_project_iam_binding", {"role": "roles/editor"}),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_this_is_allowed(what: str) -> None:
    assert violations({"resource_changes": [ALLOWED[what]]}) == []


@pytest.mark.parametrize("what", REFUSED)
def test_this_is_refused(what: str) -> None:
    (complaint, *_) = violations({"resource_changes": [REFUSED[what]]})
    assert complaint.startswith(REFUSED[what]["address"])


@pytest.mark.parametrize("kind", sorted(KEEPS_DATA))
@pytest.mark.parametrize("actions", [("delete",), ("delete", "create"), ("create", "delete")])
def test_what_holds_data_is_neither_deleted_nor_replaced(
    kind: str, actions: tuple[str, ...]
) -> None:
    assert violations({"resource_changes": [planned(kind, {}, *actions)]})


def test_every_offence_of_a_plan_is_said() -> None:
    plan = {"resource_changes": [*REFUSED.values(), *ALLOWED.values()]}
    assert len(violations(plan)) >= len(REFUSED)


def test_a_function_is_known_by_its_services_name() -> None:
    assert function_of("tarsify-prod-tasks") == "tasks"
    assert function_of("projects/p/locations/r/services/tarsify-tasks") == "tasks"


def test_what_a_function_lacks_is_said_by_name() -> None:
    plan = {"resource_changes": [REFUSED["a function without a secret"]]}
    (complaint,) = violations(plan)
    assert complaint.endswith("is not told STRIPE_WEBHOOK_SECRETS")
