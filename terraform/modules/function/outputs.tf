output "service" {
  description = "The name of the Cloud Run service that the function is"
  value       = google_cloudfunctions2_function.this.name
}
