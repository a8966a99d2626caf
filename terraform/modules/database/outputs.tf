output "connection_name" {
  description = "project:region:instance, known before the instance is made"
  value       = "${google_sql_database_instance.this.project}:${google_sql_database_instance.this.region}:${google_sql_database_instance.this.name}"
}

output "instance_name" {
  description = "The instance's name"
  value       = google_sql_database_instance.this.name
}

output "database_name" {
  description = "The database's name"
  value       = google_sql_database.this.name
}

output "logins" {
  description = "Each function's login, once it is made"
  value       = { for name, it in google_sql_user.function : name => it.name }
}

output "owner_login" {
  description = "The migrations' login, once it is made"
  value       = google_sql_user.owner.name
}

output "connections" {
  description = "How many the functions may open, head-room included, and how many there are"
  value       = { needed = local.connections_needed, most = var.max_connections }
}
