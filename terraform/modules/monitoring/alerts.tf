# What somebody must be told. `query` says when; `holds` for how long; `urgent` wakes a person, the
# others wait for the morning. Each has infra/runbook/<name>.md.

locals {
  own      = "logging_googleapis_com:user_${local.prefix}"
  of_cloud = "monitored_resource=\"cloud_run_revision\""
  ours     = "${local.of_cloud},service_name=~\"tarsify-.*\""
  queue    = "queue_id=~\"${join("|", var.queues)}\""
  instance = "database_id=\"${var.project_id}:${var.database_instance}\""

  alerts = {
    errors = {
      title  = "A function answers 5xx"
      urgent = true
      holds  = "300s"
      query  = "sum by (service_name) (rate(run_googleapis_com:request_count{${local.ours},response_code_class=\"5xx\"}[5m])) / sum by (service_name) (rate(run_googleapis_com:request_count{${local.ours}}[5m])) > 0.02 and sum by (service_name) (increase(run_googleapis_com:request_count{${local.ours},response_code_class=\"5xx\"}[5m])) > 5"
    }
    latency = {
      title  = "A public function is slow (p99 over 5 s)"
      urgent = false
      holds  = "600s"
      query  = "histogram_quantile(0.99, sum by (service_name, le) (rate(${local.own}answer_time_bucket{${local.of_cloud},service_name=~\"${join("|", var.public_services)}\"}[10m]))) > 5000"
    }
    queue-depth = {
      title  = "Alarms pile up"
      urgent = true
      holds  = "600s"
      query  = "max by (queue_id) (cloudtasks_googleapis_com:queue_depth{monitored_resource=\"cloud_tasks_queue\",${local.queue}}) > 20000"
    }
    queue-age = {
      title  = "Alarms ring late (p95 over a minute)"
      urgent = true
      holds  = "300s"
      query  = "histogram_quantile(0.95, sum by (queue_id, le) (rate(cloudtasks_googleapis_com:queue_task_attempt_delays_bucket{monitored_resource=\"cloud_tasks_queue\",${local.queue}}[10m]))) > 60000"
    }
    runs-overdue = {
      title  = "The sweep moves runs by hand"
      urgent = true
      holds  = "0s"
      query  = "sum(increase(${local.own}runs_moved_by_hand{${local.of_cloud}}[10m])) > 20"
    }
    invariant-broken = {
      title  = "A rule of the money or of the runs is broken"
      urgent = true
      holds  = "0s"
      query  = "sum by (rule) (increase(${local.own}invariants_broken{${local.of_cloud}}[1h])) > 0"
    }
    callback-silence = {
      title  = "Runs start and no webhook of RunPod comes"
      urgent = true
      holds  = "0s"
      query  = "(sum(increase(${local.own}jobs_observed{${local.of_cloud},source=\"callback\"}[20m])) or vector(0)) == 0 and sum(increase(${local.own}runs_started{${local.of_cloud}}[20m])) > 10"
    }
    runpod-errors = {
      title  = "RunPod refuses or does not answer"
      urgent = true
      holds  = "300s"
      query  = "sum(increase(${local.own}runpod_failures{${local.of_cloud}}[10m])) > 10 and sum(increase(${local.own}runpod_failures{${local.of_cloud}}[10m])) > 0.2 * sum(increase(${local.own}runs_started{${local.of_cloud}}[10m]))"
    }
    runpod-key-refused = {
      title  = "RunPod refuses our key"
      urgent = true
      holds  = "0s"
      query  = "sum(increase(${local.own}runpod_key_refused{${local.of_cloud}}[10m])) > 0"
    }
    cold-starts = {
      title  = "Every third run waits over 20 s for a worker"
      urgent = false
      holds  = "0s"
      query  = "1 - sum(increase(${local.own}run_delay_bucket{${local.of_cloud},le=\"20000\"}[1h])) / sum(increase(${local.own}run_delay_count{${local.of_cloud}}[1h])) > 0.33 and sum(increase(${local.own}run_delay_count{${local.of_cloud}}[1h])) > 30"
    }
    no-gpu = {
      title  = "No GPU takes a job"
      urgent = true
      holds  = "0s"
      query  = "sum by (endpoint) (increase(${local.own}gpus_missing{${local.of_cloud}}[15m])) > 2"
    }
    stripe-webhooks = {
      title  = "Stripe's webhooks are not taken"
      urgent = true
      holds  = "0s"
      query  = "sum(increase(${local.own}payment_calls{${local.of_cloud},class!=\"2\"}[30m])) > 5"
    }
    books-apart = {
      title  = "Our books differ from Stripe's or RunPod's, or a payout is stuck"
      urgent = false
      holds  = "0s"
      query  = "sum by (kind) (increase(${local.own}books_apart{${local.of_cloud}}[2h])) > 0"
    }
    database-connections = {
      title  = "The database has few connections left"
      urgent = true
      holds  = "300s"
      query  = "sum(cloudsql_googleapis_com:database_postgresql_num_backends{monitored_resource=\"cloudsql_database\",${local.instance}}) > ${floor(var.most_connections * 0.85)}"
    }
    sweep-silence = {
      title  = "No sweep has passed for ten minutes"
      urgent = true
      holds  = "0s"
      query  = "(sum(increase(${local.own}sweeps{${local.of_cloud}}[10m])) or vector(0)) == 0"
    }
    unreachable = {
      title  = "The front door does not answer"
      urgent = true
      holds  = "120s"
      query  = "min by (check_id) (avg_over_time(monitoring_googleapis_com:uptime_check_check_passed{monitored_resource=\"uptime_url\"}[5m])) < 0.5"
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  project      = var.project_id
  display_name = "Whoever looks after Tarsify"
  type         = "email"
  labels       = { email_address = var.email }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = each.value.title
  combiner              = "OR"
  severity              = each.value.urgent ? "CRITICAL" : "WARNING"
  notification_channels = [google_monitoring_notification_channel.email.name]

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.holds
      evaluation_interval = "60s"
      alert_rule          = replace(each.key, "-", "_")
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Runbook: ${var.runbooks}/${each.key}.md"
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_logging_metric.counted, google_logging_metric.measured]
}
