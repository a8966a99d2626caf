# Whether it can be reached, what it costs, and everything at a glance.

resource "google_monitoring_uptime_check_config" "this" {
  for_each = var.health_paths

  project          = var.project_id
  display_name     = "tarsify-${each.key}"
  timeout          = "10s"
  period           = "60s"
  selected_regions = ["USA", "EUROPE", "ASIA_PACIFIC"]

  http_check {
    path         = each.value
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project_id, host = var.host }
  }
}

# Only where the billing account is told: whoever applies it needs rights on that account.
# A release reads the budget and may change it, so its account gets rights there, on costs alone.
resource "google_billing_account_iam_member" "deployer" {
  count = var.billing_account == null ? 0 : 1

  billing_account_id = var.billing_account
  role               = "roles/billing.costsManager"
  member             = var.deployer
}

resource "google_billing_budget" "this" {
  count = var.billing_account == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "tarsify ${var.project_id}"

  budget_filter {
    projects = ["projects/${var.project_number}"]
  }

  amount {
    specified_amount {
      currency_code = "USD"
      units         = tostring(var.monthly_usd)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = [google_monitoring_notification_channel.email.name]
  }
}

locals {
  charts = {
    "Runs started, per minute"               = "sum(rate(${local.own}runs_started{${local.of_cloud}}[5m])) * 60"
    "How runs end, per minute"               = "sum by (effect) (rate(${local.own}jobs_observed{${local.of_cloud},effect=~\"completed|failed|timed_out|cancelled\"}[5m])) * 60"
    "Who notices: webhook, poll, client"     = "sum by (source) (rate(${local.own}jobs_observed{${local.of_cloud},effect=~\"completed|failed|timed_out|cancelled\"}[5m])) * 60"
    "From a job's end to ours, p95 ms"       = "histogram_quantile(0.95, sum by (le) (rate(${local.own}run_lag_bucket{${local.of_cloud}}[15m])))"
    "Wait for a worker, p95 ms"              = "histogram_quantile(0.95, sum by (le) (rate(${local.own}run_delay_bucket{${local.of_cloud}}[15m])))"
    "RunPod refuses or is silent, per 10 m"  = "sum(increase(${local.own}runpod_failures{${local.of_cloud}}[10m]))"
    "Answers by class"                       = "sum by (service_name, response_code_class) (rate(run_googleapis_com:request_count{${local.ours}}[5m]))"
    "p99 of answers, ms"                     = "histogram_quantile(0.99, sum by (service_name, le) (rate(run_googleapis_com:request_latencies_bucket{${local.ours}}[10m])))"
    "Instances"                              = "sum by (service_name) (run_googleapis_com:container_instance_count{${local.ours}})"
    "Alarms waiting"                         = "max by (queue_id) (cloudtasks_googleapis_com:queue_depth{monitored_resource=\"cloud_tasks_queue\",${local.queue}})"
    "Connections of ${var.most_connections}" = "sum(cloudsql_googleapis_com:database_postgresql_num_backends{monitored_resource=\"cloudsql_database\",${local.instance}})"
    "Broken rules and books apart, per h"    = "sum(increase(${local.own}invariants_broken{${local.of_cloud}}[1h])) + sum(increase(${local.own}books_apart{${local.of_cloud}}[1h]))"
  }
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id
  dashboard_json = jsonencode({
    displayName = "Tarsify"
    mosaicLayout = {
      columns = 12
      tiles = [
        for index, title in keys(local.charts) : {
          xPos   = (index % 2) * 6
          yPos   = floor(index / 2) * 4
          width  = 6
          height = 4
          widget = {
            title   = title
            xyChart = { dataSets = [{ plotType = "LINE", timeSeriesQuery = { prometheusQuery = local.charts[title] } }] }
          }
        }
      ]
    }
  })
}
