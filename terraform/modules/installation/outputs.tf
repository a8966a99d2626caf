output "url" {
  description = "The one origin"
  value       = local.origin
}

output "address" {
  description = "Where the domain's A record must point"
  value       = module.front_door.address
}

output "functions" {
  description = "The Cloud Run service of each function"
  value       = { for name, it in module.function : name => it.service }
}

output "queues" {
  description = "Each queue's name, by kind of alarm"
  value       = module.queues.names
}

output "jobs" {
  description = "Each scheduled job's name, by route of cleanup"
  value       = module.schedule.names
}

output "database_instance" {
  description = "The database's instance"
  value       = module.database.instance_name
}

output "connections" {
  description = "Connections that the functions may open, and that the database takes"
  value       = module.database.connections
}

output "alerts" {
  description = "Each alert's title, by the name of its runbook"
  value       = module.monitoring.alerts
}
