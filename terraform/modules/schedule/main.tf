# What the cleanup function is told to do, and when.

resource "google_cloud_scheduler_job" "this" {
  for_each = var.jobs

  project          = var.project_id
  region           = var.region
  name             = "tarsify-${each.key}"
  description      = "POST /${each.key} of the cleanup function"
  schedule         = each.value
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.deadline_seconds}s"

  # 5, 10 and 20 seconds after a call that nobody answered: the promise that no run outlives its end
  # by two minutes rests on it (infra/decisions/2026-11-27-a-sweep-that-dies.md).
  retry_config {
    retry_count          = 3
    min_backoff_duration = "5s"
    max_backoff_duration = "20s"
    max_doublings        = 2
    max_retry_duration   = "0s"
  }

  http_target {
    http_method = "POST"
    uri         = "${var.target_url}/${each.key}"

    oidc_token {
      service_account_email = var.invoker_email
      audience              = var.target_url
    }
  }
}
