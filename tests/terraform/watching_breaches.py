"""What would break the policies of watching."""

from __future__ import annotations

from tests.terraform.breaches import Breach, Change, Document, after, put, removed

METRIC, ALERT = "google_logging_metric", "google_monitoring_alert_policy"
KNOCK = "google_monitoring_uptime_check_config"
QUERY: tuple[str | int, ...] = (
    *("conditions", 0, "condition_prometheus_query_language", 0),
    "query",
)


def _replaced(kind: str, name: str, value: str, *, old: str, new: str) -> Change:
    """Other words in one text of a resource."""

    def commit(document: Document) -> None:
        values = after(document, kind, name=name)
        assert old in values[value]
        values[value] = values[value].replace(old, new)

    return commit


def _asks_for(title: str, *, old: str, new: str) -> Change:
    def commit(document: Document) -> None:
        inner = after(document, ALERT, display_name=title)
        for step in QUERY[:-1]:
            inner = inner[step]  # type: ignore[index]
        assert old in inner["query"]
        inner["query"] = inner["query"].replace(old, new)

    return commit


def _told_to_nobody(document: Document) -> None:
    for it in document["resource_changes"]:
        if it["type"] == ALERT:
            it["change"]["after"]["notification_channels"] = []
            it["change"]["after_unknown"]["notification_channels"] = False


def _without_its_runbook(document: Document) -> None:
    (told,) = after(document, ALERT, display_name="Alarms pile up")["documentation"]
    told["content"] = "Runbook: infra/runbook/no-such-thing.md"


WATCHING = [
    Breach(*each)
    for each in (
        (
            "metrics_read_what_the_code_says",
            "a message that was reworded",
            _replaced(METRIC, "tarsify_sweeps", "filter", old='"request"', new='"answered"'),
        ),
        (
            "metrics_read_what_the_code_says",
            "a field that was renamed",
            _replaced(METRIC, "tarsify_run_lag", "filter", old="lagMs", new="lateMs"),
        ),
        (
            "metrics_read_what_the_code_says",
            "a field of another message",
            put(
                METRIC,
                {"name": "tarsify_run_delay"},
                ("value_extractor",),
                "EXTRACT(jsonPayload.path)",
            ),
        ),
        (
            "whatever_is_read_is_measured",
            "a metric is gone",
            removed(METRIC, name="tarsify_invariants_broken"),
        ),
        (
            "whatever_is_read_is_measured",
            "a metric that nobody reads",
            put(METRIC, {"name": "tarsify_sweeps"}, ("name",), "tarsify_brooms"),
        ),
        (
            "labels_that_are_asked_for_are_measured",
            "a label that nobody extracts",
            _asks_for("Stripe's webhooks are not taken", old="class!=", new="status!="),
        ),
        ("every_alert_has_its_runbook", "a runbook that is not there", _without_its_runbook),
        (
            "every_alert_has_its_runbook",
            "a runbook of an alert that is gone",
            removed(ALERT, display_name="Alarms pile up"),
        ),
        ("every_alert_reaches_somebody", "no channel", _told_to_nobody),
        (
            "every_public_function_is_knocked_at",
            "callback is left out",
            removed(KNOCK, display_name="tarsify-callback"),
        ),
    )
]
