output "names" {
  description = "Each job's name, by route"
  value       = { for route, it in google_cloud_scheduler_job.this : route => it.name }
}
