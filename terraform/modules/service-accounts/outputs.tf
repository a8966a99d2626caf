locals {
  # Written from its parts: the same as .email, but known before the account is made.
  emails = { for id, it in google_service_account.this : id => "${it.account_id}@${it.project}.iam.gserviceaccount.com" }
}

output "emails" {
  description = "Each account's address, by its id"
  value       = local.emails
}

output "members" {
  description = "Each account as IAM names it, by its id"
  value       = { for id, email in local.emails : id => "serviceAccount:${email}" }
}

output "names" {
  description = "Each account's resource name, by its id"
  value       = { for id, email in local.emails : id => "projects/${google_service_account.this[id].project}/serviceAccounts/${email}" }
}
