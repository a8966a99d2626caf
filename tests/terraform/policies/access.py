"""Access: who may call, read, write and act as whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from common.settings import Settings
from infra.local.front_door import FrontDoor
from tests.http.functions import APPS
from tests.terraform.plan import KNOWN_LATER, Plan

PRIMITIVE = {"roles/owner", "roles/editor", "roles/viewer"}
FUNCTIONS_PROJECT_ROLES = {"roles/cloudsql.client", "roles/cloudsql.instanceUser"}
TRACER = {"roles/telemetry.tracesWriter", "roles/serviceusage.serviceUsageConsumer"}
EVERYBODY = "allUsers"
VALUE_OF_A_SECRET = re.compile(r"\b(?:[sr]k_(?:live|test)_|whsec_|rpa_)\w|-----BEGIN|AIza\w{10}")
HOLDS_A_SECRET = {
    "google_secret_manager_secret_version",
    "google_service_account_key",
    "google_storage_hmac_key",
}
SECRET_ARGUMENTS = ("password", "root_password", "secret_data", "private_key")
SECRET_FIELDS = {
    name.upper()
    for name, field in Settings.model_fields.items()
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("secret")
}


def only_the_front_doors_functions_are_open(plan: Plan) -> Iterator[str]:
    public = FrontDoor.read().functions()
    invoker = _invoker(plan)
    for name, function in plan.functions.items():
        ingress, callers = function.service["ingress_settings"], _callers(plan, name)
        if ingress != ("ALLOW_INTERNAL_AND_GCLB" if name in public else "ALLOW_INTERNAL_ONLY"):
            yield f"{name}: ingress is {ingress}"
        if callers != ({EVERYBODY} if name in public else {invoker}):
            yield f"{name}: may be called by {sorted(callers)}"
        if (function.environment.get("PRIVATE_SERVICE") == "true") == (name in public):
            yield f"{name}: is told the wrong thing about who may call it"


def nobody_has_a_primitive_role(plan: Plan) -> Iterator[str]:
    for it in plan.resources:
        if it["role"] in PRIMITIVE:
            yield f"{it.address} gives {it['role']}"


def functions_have_the_projects_roles_that_they_need(plan: Plan) -> Iterator[str]:
    for name, function in plan.functions.items():
        grants = [
            it for it in plan.of("google_project_iam_member") if it["member"] == function.member
        ]
        roles = {it["role"] for it in grants}
        traces = TRACER if "TRACE_SHARE" in function.environment else set()
        if roles != FUNCTIONS_PROJECT_ROLES | traces:
            yield f"{name} has {sorted(roles)} in the project"


def pages_call_only_the_functions_of_their_audience(plan: Plan) -> Iterator[str]:
    """What is called by an installation's own origin alone may be called from everywhere in it."""
    allowed = {
        name: set(it.environment["CORS_ORIGINS"].split("|")) for name, it in plan.functions.items()
    }
    if allowed["marketplace"] == {KNOWN_LATER}:
        return  # without a domain of its own an installation knows its origin once it is there
    consumers = allowed["marketplace"] - allowed["callback"]
    developers = allowed["studio"] - allowed["callback"]
    if not consumers or not developers or consumers & developers:
        yield f"pages of consumers: {sorted(consumers)}; of developers: {sorted(developers)}"
    if allowed["admin"] != allowed["studio"]:
        yield f"staff work on {sorted(allowed['admin'])}"
    for name in allowed.keys() - {"marketplace", "studio", "admin"}:
        if len(allowed[name]) != 1 or "localhost" in str(allowed[name]):
            yield f"{name} may be called by {sorted(allowed[name])}"


def each_secret_has_exactly_its_readers(plan: Plan) -> Iterator[str]:
    places = {str(it["secret_id"]) for it in plan.of("google_secret_manager_secret")}
    used = {it["secret"] for f in plan.functions.values() for it in f.secrets.values()}
    if places != used:
        yield f"made: {sorted(places)}; used: {sorted(used)}"
    for secret in places | used:
        using = {
            function.member
            for function in plan.functions.values()
            if secret in {it["secret"] for it in function.secrets.values()}
        }
        readers = plan.members("google_secret_manager_secret_iam_member", secret_id=secret)
        if readers != using:
            yield f"{secret} is read by {sorted(readers)}, and used by {sorted(using)}"


def functions_get_only_the_secrets_they_need(plan: Plan) -> Iterator[str]:
    for name, function in plan.functions.items():
        needed = {it.upper() for it in APPS[name].needs} & SECRET_FIELDS
        if name == "cleanup":
            needed.add("RUNPOD_MANAGEMENT_KEY")  # optional: bills are compared where it is given
        if function.secrets.keys() != needed:
            yield f"{name} gets {sorted(function.secrets)}, and needs {sorted(needed)}"
        for it in function.secrets.values():
            if it["secret"] != it["key"].lower().replace("_", "-"):
                yield f"{name}: {it['key']} is filled from {it['secret']}"
            if not it["version"].isdigit():
                yield f"{name}: the version of {it['secret']} is {it['version']}, not a number"


def no_secret_is_in_the_plan(plan: Plan) -> Iterator[str]:
    for it in plan.resources:
        if it.kind in HOLDS_A_SECRET:
            yield f"{it.address} would leave a secret in the state"
        for argument in SECRET_ARGUMENTS:
            if it[argument]:
                yield f"{it.address} has a {argument}"
    for found in VALUE_OF_A_SECRET.findall(json.dumps(plan.document)):
        yield f"something like a secret is in the plan: {found}"


def buckets_are_private(plan: Plan) -> Iterator[str]:
    for it in plan.of("google_storage_bucket"):
        public = str(it["name"]).endswith("-web")
        if not it["uniform_bucket_level_access"]:
            yield f"{it['name']} has rights on single objects"
        if it["public_access_prevention"] != ("inherited" if public else "enforced"):
            yield f"{it['name']} could be made public"
        open_to_all = EVERYBODY in plan.members(
            "google_storage_bucket_iam_member", bucket=it["name"]
        )
        if open_to_all != public:
            yield f"{it['name']}: everybody may read it, or should"


def results_are_written_once(plan: Plan) -> Iterator[str]:
    """Functions make and read results; none may overwrite or delete one."""
    outputs = {f.environment.get("OUTPUT_BUCKET") for f in plan.functions.values()} - {None}
    for bucket in outputs:
        roles = {
            it["role"]
            for it in plan.of("google_storage_bucket_iam_member")
            if it["bucket"] == bucket
        }
        if roles != {"roles/storage.objectCreator", "roles/storage.objectViewer"}:
            yield f"{bucket} is used with {sorted(roles)}"


POLICIES = (
    only_the_front_doors_functions_are_open,
    nobody_has_a_primitive_role,
    functions_have_the_projects_roles_that_they_need,
    pages_call_only_the_functions_of_their_audience,
    each_secret_has_exactly_its_readers,
    functions_get_only_the_secrets_they_need,
    no_secret_is_in_the_plan,
    buckets_are_private,
    results_are_written_once,
)


def _callers(plan: Plan, function: str) -> set[str]:
    kind = "google_cloud_run_v2_service_iam_member"
    return plan.members(kind, name=f"tarsify-{function}", role="roles/run.invoker")


def _invoker(plan: Plan) -> str:
    return f"serviceAccount:{plan.functions['tasks'].environment['INVOKER_EMAIL']}"
