# Images: what the functions' builds make, and what the migration job runs.

resource "google_artifact_registry_repository" "this" {
  # checkov:skip=CKV_GCP_84:encrypted with Google's keys; nothing in an image is secret
  for_each = {
    functions  = "Images that Cloud Functions builds"
    migrations = "Images that the migration job runs"
  }

  project       = var.project_id
  location      = var.region
  repository_id = each.key
  description   = each.value
  format        = "DOCKER"

  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }

  cleanup_policies {
    id     = "keep-the-last"
    action = "KEEP"

    most_recent_versions {
      keep_count = 20
    }
  }

  cleanup_policies {
    id     = "drop-the-old"
    action = "DELETE"

    condition {
      older_than = "7776000s" # 90 days
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  for_each = var.writers

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.this[each.key].repository_id
  role       = "roles/artifactregistry.writer"
  member     = each.value
}
