# A bucket. Rights come from IAM alone, and only the bucket of the web pages may be public.

resource "google_storage_bucket" "this" {
  # checkov:skip=CKV_GCP_62:who touched what is in the audit log (modules/project), without a bucket of logs
  # checkov:skip=CKV_GCP_63:as 62
  # checkov:skip=CKV_GCP_78:kept versions where they help; what workers upload lives for days and archives are named by hash
  # checkov:skip=CKV_GCP_114:only the web pages' bucket does without the prevention, since anybody may read them
  project                     = var.project_id
  name                        = var.name
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = var.public ? "inherited" : "enforced"
  force_destroy               = false

  versioning {
    enabled = var.versioned
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 60 * 60
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.versioned ? [30] : []
    content {
      action {
        type = "Delete"
      }
      condition {
        days_since_noncurrent_time = lifecycle_rule.value
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.delete_after_days[*]
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.nearline_after_days[*]
    content {
      action {
        type          = "SetStorageClass"
        storage_class = "NEARLINE"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "cors" {
    for_each = length(var.origins) > 0 ? [var.origins] : []
    content {
      origin          = cors.value
      method          = var.methods
      response_header = ["Content-Type", "Content-Length", "Content-Range", "ETag", "x-goog-content-length-range"]
      max_age_seconds = 3600
    }
  }

  dynamic "website" {
    for_each = var.public ? ["index.html"] : []
    content {
      main_page_suffix = website.value
      not_found_page   = "404.html"
    }
  }
}

locals {
  grants = merge([
    for role, members in var.grants : { for name, member in members : "${role}/${name}" => { role = role, member = member } }
  ]...)
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = local.grants

  bucket = google_storage_bucket.this.name
  role   = each.value.role
  member = each.value.member
}

# Single objects may be read by anybody, but not listed.
resource "google_storage_bucket_iam_member" "everybody" {
  # checkov:skip=CKV_GCP_28:web pages are for everybody
  count = var.public ? 1 : 0

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.legacyObjectReader"
  member = "allUsers"
}
