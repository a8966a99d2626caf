# One Cloud Function, with who may call it. Public ones are reached through the front door only;
# the others let one service account in and count as closed to the code that runs in them.

resource "google_storage_bucket_object" "archive" {
  bucket = var.archive.bucket
  name   = "${var.name}-${var.archive.sha256}.zip"
  source = var.archive.path

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_cloudfunctions2_function" "this" {
  project     = var.project_id
  location    = var.region
  name        = "tarsify-${var.name}"
  description = var.description

  build_config {
    runtime           = "python313"
    entry_point       = "main"
    service_account   = var.build.service_account
    docker_repository = var.build.repository

    source {
      storage_source {
        bucket = google_storage_bucket_object.archive.bucket
        object = google_storage_bucket_object.archive.name
      }
    }

    automatic_update_policy {}
  }

  service_config {
    service_account_email            = var.service_account
    available_cpu                    = "1" # below 1 Google allows one request at a time
    available_memory                 = var.size.memory
    max_instance_request_concurrency = var.size.concurrency
    min_instance_count               = var.size.min_instances
    max_instance_count               = var.size.max_instances
    timeout_seconds                  = var.size.timeout_seconds
    all_traffic_on_latest_revision   = true
    ingress_settings                 = var.public ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_INTERNAL_ONLY"
    direct_vpc_egress                = "VPC_EGRESS_PRIVATE_RANGES_ONLY"

    direct_vpc_network_interface {
      network    = var.network.network
      subnetwork = var.network.subnetwork
      tags       = var.network.tags
    }

    environment_variables = merge(var.settings, {
      RELEASE      = substr(var.archive.sha256, 0, 12)
      DB_POOL_SIZE = tostring(var.size.pool_size)
      THREADS      = tostring(var.size.concurrency) # of the server: a thread for each request
      # Of the C library, which would give each thread a heap that keeps what it once took.
      MALLOC_ARENA_MAX = "2"
    })

    dynamic "secret_environment_variables" {
      for_each = var.secrets
      content {
        project_id = var.project_id
        key        = secret_environment_variables.key
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
  }
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.this.name
  role     = "roles/run.invoker"
  member   = var.public ? "allUsers" : var.invoker

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this.id]
  }
}
