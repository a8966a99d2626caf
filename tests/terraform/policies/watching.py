"""Watching: what is measured is what the code says, and whoever is told knows what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from infra.packing.contents import ROOT
from tests.terraform.lines import logged
from tests.terraform.plan import Plan, Resource

RUNBOOKS = ROOT / "infra" / "runbook"
METRIC = "google_logging_metric"
ALERT = "google_monitoring_alert_policy"
OF_THE_RESOURCE = {"monitored_resource", "service_name", "le"}  # Cloud Run's own, of every metric


def metrics_read_what_the_code_says(plan: Plan) -> Iterator[str]:
    for it in plan.of(METRIC):
        messages = re.search(r'jsonPayload\.message=(?:\((.*?)\)|("[^"]*"))', str(it["filter"]))
        known = re.findall(r'"([^"]+)"', messages.group(0)) if messages else []
        if not known:
            yield f"{it['name']} reads no message"
        for message in known:
            if message not in logged():
                yield f"{it['name']} waits for {message!r}, which nothing logs"
                continue
            missing = _fields(it) - logged()[message]
            if missing:
                yield f"{it['name']} reads {sorted(missing)} of {message!r}, which does not say it"


def _fields(metric: Resource) -> set[str]:
    said = [
        metric["filter"],
        metric["value_extractor"],
        *(metric["label_extractors"] or {}).values(),
    ]
    return set(re.findall(r"jsonPayload\.(\w+)", " ".join(str(each or "") for each in said)))


def whatever_is_read_is_measured(plan: Plan) -> Iterator[str]:
    names = {str(it["name"]) for it in plan.of(METRIC)}
    for where, query in [*_queries(plan), *_dashboards(plan)]:
        for used in re.findall(r"logging_googleapis_com:user_(\w+)", query):
            if re.sub(r"_(bucket|count|sum)$", "", used) not in names and used not in names:
                yield f"{where} reads {used}, which is not measured"
    read = " ".join(query for _, query in [*_queries(plan), *_dashboards(plan)])
    objectives = json.dumps([it.values for it in plan.of("google_monitoring_slo")])
    for name in names:
        if name not in read and name not in objectives:
            yield f"{name} is measured and nothing reads it"


def labels_that_are_asked_for_are_measured(plan: Plan) -> Iterator[str]:
    """An alert that names a label nobody extracts never rings."""
    labels = {str(it["name"]): set(it["label_extractors"] or {}) for it in plan.of(METRIC)}
    for where, query in _queries(plan):
        for name, inside in re.findall(r"user_(\w+?)(?:_bucket|_count)?\{([^}]*)\}", query):
            asked = set(re.findall(r"(\w+)\s*(?:=~|!=|=)", inside)) - OF_THE_RESOURCE
            if asked - labels.get(name, set()):
                yield f"{where} asks {name} for {sorted(asked - labels.get(name, set()))}"


def _queries(plan: Plan) -> Iterator[tuple[str, str]]:
    for it in plan.of(ALERT):
        for condition in it["conditions"]:
            for inner in condition.get("condition_prometheus_query_language") or []:
                yield it.address, str(inner["query"])


def _dashboards(plan: Plan) -> Iterator[tuple[str, str]]:
    for it in plan.of("google_monitoring_dashboard"):
        for tile in json.loads(it["dashboard_json"])["mosaicLayout"]["tiles"]:
            for each in tile["widget"]["xyChart"]["dataSets"]:
                yield it.address, str(each["timeSeriesQuery"]["prometheusQuery"])


def every_alert_has_its_runbook(plan: Plan) -> Iterator[str]:
    named = set()
    for it in plan.of(ALERT):
        told = " ".join(str(each["content"]) for each in it["documentation"] or [])
        found = re.search(r"([\w-]+)\.md", told)
        if found is None or not (RUNBOOKS / found.group(0)).exists():
            yield f"{it.address} leads to no runbook: {told!r}"
        else:
            named.add(found.group(0))
    for file in RUNBOOKS.glob("*.md"):
        if file.name not in named | {"bootstrap.md"}:
            yield f"{file.name} is no alert's"


def every_alert_reaches_somebody(plan: Plan) -> Iterator[str]:
    for it in plan.of(ALERT):
        if not it["notification_channels"] and not it.later.get("notification_channels"):
            yield f"{it.address} tells nobody"


def every_public_function_is_knocked_at(plan: Plan) -> Iterator[str]:
    asked = {
        str(check["path"])
        for it in plan.of("google_monitoring_uptime_check_config")
        for check in it["http_check"]
    }
    public = {
        name for name, it in plan.functions.items() if "GCLB" in it.service["ingress_settings"]
    }
    if len(asked) != len(public) or not all(path.endswith("/health/ready") for path in asked):
        yield f"public are {sorted(public)}, and knocked at is {sorted(asked)}"


POLICIES = (
    metrics_read_what_the_code_says,
    whatever_is_read_is_measured,
    labels_that_are_asked_for_are_measured,
    every_alert_has_its_runbook,
    every_alert_reaches_somebody,
    every_public_function_is_knocked_at,
)
