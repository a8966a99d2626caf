mock_provider "google" {}

variables {
  place = {
    project_id         = "tarsify-prod"
    project_number     = "100000000003"
    region             = "us-central1"
    domain             = "tarsify.example"
    users_project      = "tarsify-prod-users"
    developers_project = "tarsify-prod-studio"
  }

  delivery = {
    repository             = "projects/tarsify-prod/locations/us-central1/connections/github/repositories/tarsify"
    state_bucket           = "tarsify-prod-state"
    first_migrations_image = "us-central1-docker.pkg.dev/tarsify-prod/migrations/migrations:first"
  }

  secret_versions = {
    runpod-api-key                 = "1"
    runpod-management-key          = "1"
    stripe-secret-key              = "2"
    stripe-webhook-secrets         = "1"
    stripe-connect-webhook-secrets = "1"
  }

  watching = {
    email = "watch@tarsify.example"
  }

  archives = {
    admin       = { path = "dist/admin.zip", sha256 = "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0" }
    callback    = { path = "dist/callback.zip", sha256 = "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1" }
    cleanup     = { path = "dist/cleanup.zip", sha256 = "c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2" }
    marketplace = { path = "dist/marketplace.zip", sha256 = "d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3" }
    payments    = { path = "dist/payments.zip", sha256 = "e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4" }
    studio      = { path = "dist/studio.zip", sha256 = "f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5" }
    tasks       = { path = "dist/tasks.zip", sha256 = "a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6" }
  }
}

run "plans" {
  command = plan

  assert {
    condition     = output.installation.connections.needed <= output.installation.connections.most
    error_message = "The functions may open more connections than the database takes."
  }

  assert {
    condition     = toset(keys(output.installation.functions)) == toset(["admin", "callback", "cleanup", "marketplace", "payments", "studio", "tasks"])
    error_message = "A function is missing, or there is one too many."
  }

  assert {
    condition     = toset(values(output.installation.queues)) == toset(["executions-submit", "executions-poll", "executions-timeout", "executions-deliver"])
    error_message = "A kind of alarm has no queue, or a queue has no kind of alarm."
  }
}

run "applies" {
  command = apply

  assert {
    condition     = output.installation.functions["tasks"] == "tarsify-tasks"
    error_message = "Releases find the services by their names."
  }

  assert {
    condition     = output.installation.url == "https://tarsify.example"
    error_message = "The origin is not the domain's."
  }
}

run "refuses_latest_as_a_secrets_version" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    project_id      = "tarsify-prod"
    region          = "us-central1"
    name            = "tasks"
    description     = "Alarms"
    public          = false
    invoker         = "serviceAccount:task-invoker@tarsify-prod.iam.gserviceaccount.com"
    service_account = "fn-tasks@tarsify-prod.iam.gserviceaccount.com"
    archive         = { path = "tasks.zip", sha256 = "00", bucket = "sources" }
    build           = { service_account = "builder", repository = "functions" }
    network         = { network = "tarsify", subnetwork = "functions", tags = ["functions"] }
    size            = { memory = "512Mi", concurrency = 16, min_instances = 0, max_instances = 1, timeout_seconds = 60, pool_size = 4 }
    settings        = {}
    secrets         = { RUNPOD_API_KEY = { secret = "runpod-api-key", version = "latest" } }
  }

  expect_failures = [var.secrets]
}

run "closes_a_function_that_is_not_public" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    project_id      = "tarsify-prod"
    region          = "us-central1"
    name            = "tasks"
    description     = "Alarms"
    public          = false
    invoker         = "serviceAccount:task-invoker@tarsify-prod.iam.gserviceaccount.com"
    service_account = "fn-tasks@tarsify-prod.iam.gserviceaccount.com"
    archive         = { path = "tasks.zip", sha256 = "00", bucket = "sources" }
    build           = { service_account = "builder", repository = "functions" }
    network         = { network = "tarsify", subnetwork = "functions", tags = ["functions"] }
    size            = { memory = "512Mi", concurrency = 16, min_instances = 0, max_instances = 1, timeout_seconds = 60, pool_size = 4 }
    settings        = {}
    secrets         = {}
  }

  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "Everybody reaches the address of a function that is not public."
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.invoker.member == var.invoker
    error_message = "Somebody but the invoker may call a function that is not public."
  }
}

run "refuses_more_connections_than_there_are" {
  command = plan

  module {
    source = "../../modules/database"
  }

  variables {
    project_id       = "tarsify-prod"
    region           = "us-central1"
    peered_network   = "tarsify"
    tier             = "db-custom-1-3840"
    highly_available = false
    disk_gb          = 10
    kept_backups     = 7
    max_connections  = 99
    pools            = { tasks = { max_instances = 10, pool_size = 4 } }
    logins           = { tasks = "fn-tasks@tarsify-prod.iam" }
    owner_login      = "db-migrate@tarsify-prod.iam"
  }

  expect_failures = [google_sql_database_instance.this]
}
