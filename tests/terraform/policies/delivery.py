"""Delivery: releases are told what the build asks for, and strangers' proposals reach nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from infra.packing.contents import ROOT
from tests.terraform.plan import Plan, Resource


def releases_are_told_what_the_build_asks(plan: Plan) -> Iterator[str]:
    asked: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())["substitutions"]
    release = _trigger(plan, "release")
    later = release.later.get("substitutions") or {}
    told = release["substitutions"].keys() | later.keys()
    for name in told - asked.keys():
        yield f"{name} is told, and not asked for"
    for name in {it for it, default in asked.items() if default == ""} - told:
        yield f"{name} is asked for, and not told"


def releases_name_what_is_there(plan: Plan) -> Iterator[str]:
    told = _trigger(plan, "release")["substitutions"]
    there = {
        "_MIGRATIONS_JOB": {it["name"] for it in plan.of("google_cloud_run_v2_job")},
        "_INTERNAL_JOB": {it["name"] for it in plan.of("google_cloud_scheduler_job")},
        "_RECORDS_BUCKET": {it["name"] for it in plan.of("google_storage_bucket")},
        "_DEPLOYER": {it["account_id"] for it in plan.of("google_service_account")},
    }
    for name, names in there.items():
        if told[name] not in names:
            yield f"{name} is {told[name]}, and there is no such thing"


def production_waits_for_a_person(plan: Plan) -> Iterator[str]:
    release = _trigger(plan, "release")
    production = release["substitutions"]["_ENVIRONMENT"] == "prod"
    if release["approval_config"][0]["approval_required"] != production:
        yield "a release into production needs a person, and no other does"


def proposals_are_tested_without_rights(plan: Plan) -> Iterator[str]:
    for it in plan.of("google_cloudbuild_trigger"):
        events = it["repository_event_config"] or []
        if any(event.get("pull_request") for event in events):
            email = it["service_account"].rpartition("/")[2]
            roles = {
                grant["role"]
                for grant in plan.resources
                if grant["member"] == f"serviceAccount:{email}"
            }
            if roles != {"roles/logging.logWriter"}:
                yield f"pull requests run as {email}, which has {roles}"


def releases_may_read_what_they_plan(plan: Plan) -> Iterator[str]:
    """A plan reads the policy of each project that it grants something in, and the budget."""
    email = f"ci-deployer@{_own_project(plan)}.iam.gserviceaccount.com"
    grants = plan.of("google_project_iam_member")
    for project in {it["project"] for it in grants} - {_own_project(plan)}:
        roles = {it["role"] for it in grants if it["project"] == project and _is(it, email)}
        if "roles/iam.securityReviewer" not in roles:
            yield f"releases may not read the policy of {project}: they have {sorted(roles)}"
    budgets = {it["billing_account"] for it in plan.of("google_billing_budget")}
    readable = {
        it["billing_account_id"]
        for it in plan.of("google_billing_account_iam_member")
        if _is(it, email) and it["role"] == "roles/billing.costsManager"
    }
    for account in budgets - readable:
        yield f"releases may not read the budget of {account}"


def builds_may_read_the_copies_of_sources(plan: Plan) -> Iterator[str]:
    """Cloud Functions builds from a bucket of its own, which is there after the first build."""
    email = f"function-builder@{_own_project(plan)}.iam.gserviceaccount.com"
    conditions = [
        it["condition"][0]["expression"]
        for it in plan.of("google_project_iam_member")
        if _is(it, email) and it["role"] == "roles/storage.objectViewer"
    ]
    if not any("buckets/gcf-v2-sources-" in expression for expression in conditions):
        yield f"the builder may read {conditions}"


POLICIES = (
    releases_are_told_what_the_build_asks,
    releases_name_what_is_there,
    production_waits_for_a_person,
    proposals_are_tested_without_rights,
    releases_may_read_what_they_plan,
    builds_may_read_the_copies_of_sources,
)


def _is(grant: Resource, email: str) -> bool:
    return bool(grant["member"] == f"serviceAccount:{email}")


def _own_project(plan: Plan) -> str:
    (bucket,) = (it for it in plan.of("google_storage_bucket") if it["name"].endswith("-sources"))
    return str(bucket["project"])


def _trigger(plan: Plan, name: str) -> Resource:
    (found,) = (it for it in plan.of("google_cloudbuild_trigger") if it["name"] == name)
    return found
