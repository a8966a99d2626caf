output "project_id" {
  description = "The Firebase project, once people can sign in"
  value       = google_identity_platform_config.this.project
}
