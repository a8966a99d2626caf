# What is promised: a start succeeds, and a finished job is seen within 5 s. Each over 28 days, with
# an alert when a tenth of the month's errors goes in an hour or less.

resource "google_monitoring_custom_service" "this" {
  project      = var.project_id
  service_id   = "tarsify"
  display_name = "Tarsify"
}

resource "google_monitoring_slo" "start_succeeds" {
  project             = var.project_id
  service             = google_monitoring_custom_service.this.service_id
  slo_id              = "start-succeeds"
  display_name        = "A start is answered, and not by a 5xx"
  goal                = 0.995
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      total_service_filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.counted["starts_answered"].name}\" AND resource.type=\"cloud_run_revision\""
      bad_service_filter   = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.counted["starts_answered"].name}\" AND resource.type=\"cloud_run_revision\" AND metric.labels.class=\"5\""
    }
  }
}

resource "google_monitoring_slo" "result_is_seen" {
  project             = var.project_id
  service             = google_monitoring_custom_service.this.service_id
  slo_id              = "result-is-seen"
  display_name        = "A finished job is seen by its consumer within 5 s"
  goal                = 0.99
  rolling_period_days = 28

  request_based_sli {
    distribution_cut {
      distribution_filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.measured["run_lag"].name}\" AND resource.type=\"cloud_run_revision\""
      range {
        max = 5000
      }
    }
  }
}

locals {
  objectives = {
    start-succeeds = google_monitoring_slo.start_succeeds
    result-is-seen = google_monitoring_slo.result_is_seen
  }
}

resource "google_monitoring_alert_policy" "burn" {
  for_each = local.objectives

  project               = var.project_id
  display_name          = "Objective at risk: ${each.value.display_name}"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = [google_monitoring_notification_channel.email.name]

  conditions {
    display_name = "burns the month's errors ten times too fast"

    condition_threshold {
      filter          = "select_slo_burn_rate(\"projects/${var.project_id}/services/${google_monitoring_custom_service.this.service_id}/serviceLevelObjectives/${each.value.slo_id}\", \"3600s\")"
      comparison      = "COMPARISON_GT"
      threshold_value = 10
      duration        = "0s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Runbook: ${var.runbooks}/${each.key}.md"
  }
}
