output "services" {
  description = "The services that are switched on"
  value       = [for it in google_project_service.this : it.service]
}
