"""The entrance: the URL map is the front door's table, and nothing is reached beside the shield."""

from __future__ import annotations

from collections.abc import Iterator

from infra.local.front_door import FrontDoor
from tests.terraform.plan import Plan


def the_url_map_is_the_front_doors_table(plan: Plan) -> Iterator[str]:
    (matcher,) = next(
        it["path_matcher"] for it in plan.of("google_compute_url_map") if it["path_matcher"]
    )
    mapped = {
        path: _function_behind(plan, rule["service"])
        for rule in matcher["path_rule"]
        for path in rule["paths"]
    }
    table = FrontDoor.read().routes
    wanted = {path: name for prefix, name in table.items() for path in (prefix, f"{prefix}/*")}
    for path in mapped.keys() | wanted.keys():
        if mapped.get(path) != wanted.get(path):
            yield f"{path} leads to {mapped.get(path)}, and should to {wanted.get(path)}"
    if not str(matcher["default_service"]).endswith("/backendBuckets/web"):
        yield f"everything else leads to {matcher['default_service']}"


def http_leads_to_https_only(plan: Plan) -> Iterator[str]:
    redirects = [it["default_url_redirect"] for it in plan.of("google_compute_url_map")]
    if [it for it in redirects if it and it[0]["https_redirect"]] == []:
        yield "nothing sends http to https"
    policy = plan.one("google_compute_ssl_policy")
    if policy["min_tls_version"] != "TLS_1_2":
        yield f"TLS from {policy['min_tls_version']} on"


def every_backend_has_its_shield(plan: Plan) -> Iterator[str]:
    shields = plan.of("google_compute_security_policy")
    throttled = [rule for it in shields for rule in it["rule"] if rule["action"] == "throttle"]
    if not throttled or any(rule.get("preview") for rule in throttled):
        yield "nobody is throttled"
    for it in plan.document["resource_changes"]:
        after = it["change"]["after"] or {}
        if it["type"] == "google_compute_backend_service" and not (
            after.get("security_policy") or it["change"]["after_unknown"].get("security_policy")
        ):
            yield f"{it['address']} has no security policy"


POLICIES = (
    the_url_map_is_the_front_doors_table,
    http_leads_to_https_only,
    every_backend_has_its_shield,
)


def _function_behind(plan: Plan, backend: str) -> str:
    """Over the backend and its endpoint group, as a request goes."""
    name = backend.rpartition("/")[2]
    (service,) = (it for it in plan.of("google_compute_backend_service") if it["name"] == name)
    group = service["backend"][0]["group"].rpartition("/")[2]
    (endpoint,) = (
        it for it in plan.of("google_compute_region_network_endpoint_group") if it["name"] == group
    )
    return str(endpoint["cloud_run"][0]["service"]).removeprefix("tarsify-")
