"""What no plan of Terraform may do: `python -m infra.release.policy FILE`.

Reads `terraform show -json`. The rules are those whose breach cannot be undone, or that the code
relies on: tasks and cleanup believe whom Cloud Run lets in (common/gateways/invoker.py).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.needs import EVERY_FUNCTION
from infra.local.front_door import FrontDoor

Resource = Mapping[str, Any]
KEEPS_DATA = {
    "google_sql_database_instance",
    "google_sql_database",
    "google_storage_bucket",
    "google_secret_manager_secret",
    "google_kms_crypto_key",
    "google_identity_platform_config",
}
EVERYBODY = {"allUsers", "allAuthenticatedUsers"}
PRIMITIVE = {"roles/owner", "roles/editor", "roles/viewer"}
FUNCTION = "google_cloudfunctions2_function"
CLOSED = "ALLOW_INTERNAL_ONLY"
# Objects of the web pages' bucket may be read, though not listed.
WEB_PAGES = ("roles/storage.legacyObjectReader", "web")


def violations(plan: Mapping[str, Any]) -> list[str]:
    """One line for each rule that a resource of the plan breaks."""
    changes = plan.get("resource_changes", [])
    return [
        f"{each['address']}: {complaint}"
        for each in changes
        for rule in RULES
        for complaint in rule(each)
    ]


def _keeps_what_holds_data(resource: Resource) -> Iterator[str]:
    if resource["type"] in KEEPS_DATA and "delete" in resource["change"]["actions"]:
        yield "would be deleted or replaced, and holds data"


def _gives_no_primitive_role(resource: Resource) -> Iterator[str]:
    role = _after(resource).get("role")
    if role in PRIMITIVE:
        yield f"gives {role}"


def _opens_only_the_front_doors_functions(resource: Resource) -> Iterator[str]:
    after = _after(resource)
    members = {after.get("member"), *(after.get("members") or ())}
    if not members & EVERYBODY:
        return
    if (after.get("role"), function_of(after.get("bucket"))) == WEB_PAGES:
        return
    service = after.get("service") or after.get("cloud_function") or after.get("name")
    if after.get("role") != "roles/run.invoker" or function_of(service) not in _public():
        yield "lets everybody in"


def _closes_internal_functions(resource: Resource) -> Iterator[str]:
    if resource["type"] != FUNCTION or not _after(resource):
        return
    name, service = function_of(_after(resource).get("name")), _service(resource)
    if name not in _public() | _internal():
        yield f"is no function of ours: {name}"
    private = (service.get("environment_variables") or {}).get("PRIVATE_SERVICE") == "true"
    if private != (name in _internal()):
        yield "PRIVATE_SERVICE belongs to internal functions, and to each of them"
    if name in _internal() and service.get("ingress_settings") != CLOSED:
        yield f"is internal, so its ingress must be {CLOSED}"
    if name in _public() and service.get("ingress_settings") == "ALLOW_ALL":
        yield "is reached through the front door only, not on its own address"


def _tells_a_function_what_it_needs(resource: Resource) -> Iterator[str]:
    """Else it would end at start, and the release with it (common/needs.py)."""
    name = function_of(_after(resource).get("name"))
    if resource["type"] != FUNCTION or name not in _public() | _internal():
        return
    needs = importlib.import_module(f"functions.{name}.main").app.needs
    wanted = {need.upper() for need in (*EVERY_FUNCTION, *needs)}
    if missing := sorted(wanted - _told(resource)):
        yield f"is not told {', '.join(missing)}"


RULES: tuple[Callable[[Resource], Iterator[str]], ...] = (
    _keeps_what_holds_data,
    _gives_no_primitive_role,
    _opens_only_the_front_doors_functions,
    _closes_internal_functions,
    _tells_a_function_what_it_needs,
)


def function_of(service: object) -> str:
    """The function that a service is: `tarsify-tasks`, or a path that ends in it, is tasks."""
    return str(service).rsplit("/", maxsplit=1)[-1].rsplit("-", maxsplit=1)[-1]


def _after(resource: Resource) -> Mapping[str, Any]:
    """What it would be; empty for what goes."""
    return resource["change"].get("after") or {}


def _service(resource: Resource) -> Mapping[str, Any]:
    blocks = _after(resource).get("service_config") or [{}]
    service: Mapping[str, Any] = blocks[0]
    return service


def _told(resource: Resource) -> set[str]:
    """The variables of a function, also those whose values are known only after the apply."""
    service = _service(resource)
    (later, *_) = (resource["change"].get("after_unknown") or {}).get("service_config") or [{}]
    secrets = {each["key"] for each in service.get("secret_environment_variables") or ()}
    known = {*(service.get("environment_variables") or ())}
    return secrets | known | {*(later.get("environment_variables") or ())}


def _public() -> set[str]:
    return FrontDoor.read().functions()


def _internal() -> frozenset[str]:
    return FrontDoor.read().internal


def main(arguments: list[str]) -> None:
    """Ends with the violations, if any."""
    (file,) = arguments
    found = violations(json.loads(Path(file).read_text(encoding="utf-8")))
    if found:
        sys.exit("the plan is refused:\n" + "\n".join(found))
    print("the plan breaks no rule")


if __name__ == "__main__":
    main(sys.argv[1:])
