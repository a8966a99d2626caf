# A network of the installation's own. Functions and the migration job join it directly (no
# connector machines) and reach one thing in it: the database.

locals {
  tag           = "functions"
  database_port = 3307 # where Cloud SQL's connector is answered, with TLS
}

resource "google_compute_network" "this" {
  project                 = var.project_id
  name                    = "tarsify"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "this" {
  project                  = var.project_id
  name                     = "functions"
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.functions_range
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_global_address" "services" {
  project       = var.project_id
  name          = "google-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = cidrhost(var.services_range, 0)
  prefix_length = tonumber(split("/", var.services_range)[1])
  network       = google_compute_network.this.id
}

resource "google_service_networking_connection" "this" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}

resource "google_compute_firewall" "to_database" {
  project            = var.project_id
  name               = "functions-to-database"
  network            = google_compute_network.this.id
  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = [var.services_range]
  target_tags        = [local.tag]

  allow {
    protocol = "tcp"
    ports    = [tostring(local.database_port)]
  }
}

resource "google_compute_firewall" "nothing_else" {
  project            = var.project_id
  name               = "functions-to-nothing-else"
  network            = google_compute_network.this.id
  direction          = "EGRESS"
  priority           = 65000
  destination_ranges = ["0.0.0.0/0"]
  target_tags        = [local.tag]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}
