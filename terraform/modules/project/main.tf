# What a project must have before anything else: the services, and a record of who touched what.

resource "google_project_service" "this" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "cloudtasks.googleapis.com",
    "cloudtrace.googleapis.com",
    "compute.googleapis.com",
    "containerscanning.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com", # signs URLs for functions, which have no key
    "identitytoolkit.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
    "storage.googleapis.com",
    "telemetry.googleapis.com",
  ])

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false
}

locals {
  # Results are read by signed URLs, many a second: reads of storage are left out.
  audited = {
    "secretmanager.googleapis.com"  = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    "cloudsql.googleapis.com"       = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    "iam.googleapis.com"            = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    "iamcredentials.googleapis.com" = ["ADMIN_READ", "DATA_WRITE"]
    "storage.googleapis.com"        = ["ADMIN_READ", "DATA_WRITE"]
  }
}

resource "google_project_iam_audit_config" "this" {
  for_each = local.audited

  project = var.project_id
  service = each.key

  dynamic "audit_log_config" {
    for_each = each.value
    content {
      log_type = audit_log_config.value
    }
  }

  depends_on = [google_project_service.this]
}
