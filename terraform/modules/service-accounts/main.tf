# One identity for each thing that runs; none of Google's default ones is used.

resource "google_service_account" "this" {
  for_each = var.accounts

  project      = var.project_id
  account_id   = each.key
  display_name = each.value
}
