# The job that brings the database to the newest schema: inside the network, as the schema's owner,
# once. A migration that failed is looked at by a person, never tried again.

resource "google_cloud_run_v2_job" "this" {
  project             = var.project_id
  location            = var.region
  name                = "db-migrate"
  deletion_protection = false # it holds nothing

  template {
    task_count  = 1
    parallelism = 1

    template {
      service_account = var.service_account
      max_retries     = 0
      timeout         = "1800s"

      containers {
        image = var.first_image

        dynamic "env" {
          for_each = var.settings
          content {
            name  = env.key
            value = env.value
          }
        }
      }

      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"

        network_interfaces {
          network    = var.network.network
          subnetwork = var.network.subnetwork
          tags       = var.network.tags
        }
      }
    }
  }

  lifecycle {
    # Each release sets its own image before it applies anything (infra/release/migrate).
    ignore_changes = [template[0].template[0].containers[0].image, client, client_version]
  }
}
