output "names" {
  description = "Each queue's name, by kind"
  value       = { for kind, it in google_cloud_tasks_queue.this : kind => it.name }
}
