"""The project, its services, the bucket of Terraform's state, and the Firebase projects."""

from __future__ import annotations

import time

import requests

from infra.bootstrapping.gcloud import Gcloud
from infra.bootstrapping.installation import BootstrapError, Installation

# What Terraform and this command themselves speak to; Terraform switches on all others.
SERVICES = (
    "cloudresourcemanager.googleapis.com",
    "firebase.googleapis.com",
    "iam.googleapis.com",
    "secretmanager.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
)
SIGN_IN_SERVICES = ("firebase.googleapis.com", "identitytoolkit.googleapis.com")
FIREBASE = "https://firebase.googleapis.com"
LINK_SECONDS, CALL_SECONDS = 120, 30


def project_number(gcloud: Gcloud, project: str) -> str:
    """The number of a project with an account that pays. Raises BootstrapError without one."""
    number = gcloud.read("projects", "describe", project, "--format=value(projectNumber)")
    pays = gcloud.read("billing", "projects", "describe", project, "--format=value(billingEnabled)")
    if gcloud.rehearsal:
        return "PROJECT_NUMBER"
    if not number:
        raise BootstrapError(
            f"{project} is not there, or {_account(gcloud)} may not see it. Make it with "
            f"`gcloud projects create {project}`, or sign in with `gcloud auth login`"
        )
    if pays != "True":
        raise BootstrapError(f"{project} has no billing account: link one and begin again")
    return number


def _account(gcloud: Gcloud) -> str:
    return gcloud.read("config", "get-value", "account") or "nobody"


def switch_on(gcloud: Gcloud, project: str, services: tuple[str, ...]) -> None:
    """Switches on the services that are off."""
    have = gcloud.listed(
        "services", "list", "--enabled", f"--project={project}", "--format=value(config.name)"
    )
    if off := [each for each in services if each not in have]:
        gcloud.change("services", "enable", *off, f"--project={project}")


def state_bucket(gcloud: Gcloud, into: Installation) -> None:
    """Versioned, of one access rule, closed to the public. Looked for among the project's own: the
    name of a bucket is the world's, and somebody else's must not get our state."""
    buckets = gcloud.objects(
        "storage", "buckets", "list", f"--project={into.project}", "--format=json"
    )
    url = f"gs://{into.state_bucket}"
    found = next((each for each in buckets if each["name"] == into.state_bucket), None)
    if found is None:
        gcloud.change(
            *("storage", "buckets", "create", url, f"--project={into.project}"),
            *(f"--location={into.region}", "--uniform-bucket-level-access"),
            "--public-access-prevention",
        )
        found = {"uniform_bucket_level_access": True, "public_access_prevention": "enforced"}
    wanted = {
        "--versioning": bool(found.get("versioning_enabled")),
        "--uniform-bucket-level-access": bool(found.get("uniform_bucket_level_access")),
        "--public-access-prevention": found.get("public_access_prevention") == "enforced",
    }
    if missing := [flag for flag, there in wanted.items() if not there]:
        gcloud.change("storage", "buckets", "update", url, *missing)


def link_firebase(gcloud: Gcloud, project: str, *, address: str) -> None:
    """Makes a project one where people sign in: its services, and Firebase added to it.

    gcloud cannot add Firebase, so its API is asked, with the operator's token in a header.
    Raises BootstrapError.
    """
    project_number(gcloud, project)
    switch_on(gcloud, project, SIGN_IN_SERVICES)
    at = f"{address}/v1beta1/projects/{project}"
    token = gcloud.read("auth", "print-access-token")
    if gcloud.rehearsal:
        print(f"$ POST {at}:addFirebase")
        return
    headers = {"Authorization": f"Bearer {token}", "X-Goog-User-Project": project}
    if _is_linked(at, headers):
        return
    print(f"$ POST {at}:addFirebase", flush=True)
    added = requests.post(f"{at}:addFirebase", headers=headers, json={}, timeout=CALL_SECONDS)
    if not added.ok:
        raise BootstrapError(f"{project}: Firebase was not added: {_reason(added)}")
    deadline = time.monotonic() + LINK_SECONDS
    while not _is_linked(at, headers):
        if time.monotonic() > deadline:
            raise BootstrapError(f"{project}: Firebase is still being added: begin again later")
        time.sleep(2)


def _is_linked(at: str, headers: dict[str, str]) -> bool:
    answer = requests.get(at, headers=headers, timeout=CALL_SECONDS)
    if answer.ok:
        return True
    if answer.status_code == 404:
        return False
    raise BootstrapError(f"Firebase cannot be asked: {_reason(answer)}")


def _reason(answer: requests.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)
