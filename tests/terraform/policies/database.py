"""The database: closed, kept, and large enough for every connection."""

from __future__ import annotations

from collections.abc import Iterator

from tests.terraform.plan import Plan

HEAD_ROOM = 20  # connections for migrations, people and Google


def connections_are_enough(plan: Plan) -> Iterator[str]:
    """Twice, since two revisions of a function answer side by side while it is deployed."""
    (settings,) = plan.one("google_sql_database_instance")["settings"]
    flags = {it["name"]: it["value"] for it in settings["database_flags"]}
    opened = sum(
        it.service["max_instance_count"] * int(it.environment["DB_POOL_SIZE"])
        for it in plan.functions.values()
    )
    if 2 * opened + HEAD_ROOM > int(flags["max_connections"]):
        yield f"{opened} connections twice and {HEAD_ROOM}: more than {flags['max_connections']}"


def the_database_is_closed_and_kept(plan: Plan) -> Iterator[str]:
    database = plan.one("google_sql_database_instance")
    (settings,) = database["settings"]
    (address,), (backup,) = settings["ip_configuration"], settings["backup_configuration"]
    flags = {it["name"]: it["value"] for it in settings["database_flags"]}
    held = {
        "no address outside": address["ipv4_enabled"] is False,
        "only encrypted": address["ssl_mode"] == "ENCRYPTED_ONLY",
        "point in time": backup["enabled"] and backup["point_in_time_recovery_enabled"],
        "protected": database["deletion_protection"] and settings["deletion_protection_enabled"],
        "logins by IAM": flags.get("cloudsql.iam_authentication") == "on",
        "audited": flags.get("cloudsql.enable_pgaudit") == "on",
        "no passwords": {it["type"] for it in plan.of("google_sql_user")}
        == {"CLOUD_IAM_SERVICE_ACCOUNT"},
    }
    yield from (f"the database is not: {what}" for what, holds in held.items() if not holds)


POLICIES = (
    connections_are_enough,
    the_database_is_closed_and_kept,
)
