# The functions' structured log lines as metrics. A test holds each filter against the code: the
# message must be one that is logged, and so must every field that is read.

locals {
  counted = {
    runs_started       = { filter = "jsonPayload.message=\"execution started\" AND jsonPayload.outcome=\"started\"", labels = {} }
    starts_answered    = { filter = "jsonPayload.message=\"request\" AND jsonPayload.route=\"/models/<slug>/run\"", labels = { class = "REGEXP_EXTRACT(jsonPayload.status, \"^([0-9])\")" } }
    jobs_observed      = { filter = "jsonPayload.message=\"job observed\"", labels = { source = "EXTRACT(jsonPayload.source)", effect = "EXTRACT(jsonPayload.effect)" } }
    runpod_failures    = { filter = "jsonPayload.message=(\"submit refused\" OR \"submit without an answer\" OR \"look without an answer\")", labels = {} }
    runpod_key_refused = { filter = "jsonPayload.message=\"RunPod refuses our key\"", labels = {} }
    gpus_missing       = { filter = "jsonPayload.message=\"no GPU took a job\"", labels = { endpoint = "EXTRACT(jsonPayload.endpoint)" } }
    runs_moved_by_hand = { filter = "jsonPayload.message=\"alarms do not help\"", labels = {} }
    invariants_broken  = { filter = "jsonPayload.message=\"invariant broken\"", labels = { rule = "EXTRACT(jsonPayload.rule)" } }
    books_apart        = { filter = "jsonPayload.message=\"books differ\"", labels = { kind = "EXTRACT(jsonPayload.kind)" } }
    payment_calls      = { filter = "jsonPayload.message=\"request\" AND jsonPayload.function=\"payments\" AND jsonPayload.method=\"POST\"", labels = { class = "REGEXP_EXTRACT(jsonPayload.status, \"^([0-9])\")" } }
    sweeps             = { filter = "jsonPayload.message=\"request\" AND jsonPayload.route=\"/sweep\" AND jsonPayload.status=200", labels = {} }
  }
  # ms. Bounds are where an alert or an objective cuts.
  measured = {
    # A caller who asked us to wait for a run is no slow answer.
    answer_time = { filter = "jsonPayload.message=\"request\" AND NOT jsonPayload.waits=true AND jsonPayload.durationMs>=0", value = "EXTRACT(jsonPayload.durationMs)", bounds = [50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000] }
    run_delay   = { filter = "jsonPayload.message=\"job observed\" AND jsonPayload.delayMs>=0", value = "EXTRACT(jsonPayload.delayMs)", bounds = [500, 2000, 5000, 10000, 20000, 60000, 180000, 600000] }
    run_lag     = { filter = "jsonPayload.message=\"job observed\" AND jsonPayload.lagMs>=0", value = "EXTRACT(jsonPayload.lagMs)", bounds = [200, 500, 1000, 2000, 5000, 15000, 60000, 300000] }
  }
  of_functions = "resource.type=\"cloud_run_revision\" AND "
  prefix       = "tarsify_"
}

resource "google_logging_metric" "counted" {
  for_each = local.counted

  project          = var.project_id
  name             = "${local.prefix}${each.key}"
  filter           = "${local.of_functions}${each.value.filter}"
  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }
}

resource "google_logging_metric" "measured" {
  for_each = local.measured

  project         = var.project_id
  name            = "${local.prefix}${each.key}"
  filter          = "${local.of_functions}${each.value.filter}"
  value_extractor = each.value.value

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "ms"
  }

  bucket_options {
    explicit_buckets {
      bounds = each.value.bounds
    }
  }
}
