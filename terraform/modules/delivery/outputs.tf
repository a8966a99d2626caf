output "trigger" {
  description = "The release's trigger"
  value       = google_cloudbuild_trigger.release.name
}
