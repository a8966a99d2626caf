# A queue for each kind of alarm, so that a crowd of polls does not keep a start waiting and an
# answer of 503 slows its own kind only.

resource "google_cloud_tasks_queue" "this" {
  for_each = var.kinds

  project  = var.project_id
  location = var.region
  name     = "${var.prefix}-${each.key}"

  rate_limits {
    max_dispatches_per_second = each.value.per_second
    max_concurrent_dispatches = max(1, floor(var.capacity * each.value.share))
  }

  # An alarm that is lost costs a minute: then the sweep does its work.
  retry_config {
    max_attempts       = 5
    min_backoff        = "1s"
    max_backoff        = "30s"
    max_doublings      = 5
    max_retry_duration = "300s"
  }

  stackdriver_logging_config {
    sampling_ratio = 0.1
  }
}

locals {
  enqueuings = merge([
    for kind in keys(var.kinds) : { for name, member in var.enqueuers : "${kind}/${name}" => { kind = kind, member = member } }
  ]...)
}

resource "google_cloud_tasks_queue_iam_member" "enqueuer" {
  for_each = local.enqueuings

  project  = var.project_id
  location = var.region
  name     = google_cloud_tasks_queue.this[each.value.kind].name
  role     = "roles/cloudtasks.enqueuer"
  member   = each.value.member
}

# A task carries the invoker's token, so whoever makes one must be allowed to act as the invoker.
resource "google_service_account_iam_member" "acts_as_invoker" {
  for_each = var.enqueuers

  service_account_id = var.invoker_name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}
