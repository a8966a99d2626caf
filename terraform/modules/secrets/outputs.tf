output "readable" {
  description = "Each secret's id, once its readers may read it"
  value       = { for id, it in google_secret_manager_secret.this : id => it.secret_id }
  depends_on  = [google_secret_manager_secret_iam_member.reader]
}
