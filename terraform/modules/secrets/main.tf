# The places of the secrets, and who may read each. Their values are put there by hand
# (gcloud secrets versions add) and never pass through Terraform or its state.

resource "google_secret_manager_secret" "this" {
  for_each = var.readers

  project             = var.project_id
  secret_id           = each.key
  deletion_protection = true
  version_destroy_ttl = "604800s" # a week to change one's mind

  replication {
    auto {}
  }
}

locals {
  readings = merge([
    for secret, members in var.readers : {
      for name, member in members : "${secret}/${name}" => { secret = secret, member = member }
    }
  ]...)
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readings

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value.member
}
