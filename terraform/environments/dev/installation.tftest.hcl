mock_provider "google" {
  mock_resource "google_compute_global_address" {
    defaults = { address = "192.0.2.7" }
  }
}

variables {
  place = {
    project_id         = "tarsify-dev"
    project_number     = "100000000001"
    region             = "us-central1"
    users_project      = "tarsify-dev-users"
    developers_project = "tarsify-dev-studio"
  }

  delivery = {
    repository             = "projects/tarsify-dev/locations/us-central1/connections/github/repositories/tarsify"
    state_bucket           = "tarsify-dev-state"
    first_migrations_image = "us-central1-docker.pkg.dev/tarsify-dev/migrations/migrations:first"
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

run "applies" {
  command = apply

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

  assert {
    condition     = output.installation.functions["tasks"] == "tarsify-tasks"
    error_message = "Releases find the services by their names."
  }

  assert {
    condition     = output.installation.url == "https://192-0-2-7.sslip.io"
    error_message = "Without a domain the origin is made of the address."
  }
}
