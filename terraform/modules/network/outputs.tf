output "network" {
  description = "The network's id"
  value       = google_compute_network.this.id
}

output "peered_network" {
  description = "The same, known only once Google's services are reached in it"
  value       = google_service_networking_connection.this.network
}

output "attachment" {
  description = "What a function needs to join the network"
  value = {
    network    = google_compute_network.this.name
    subnetwork = google_compute_subnetwork.this.name
    tags       = [local.tag]
  }
}
