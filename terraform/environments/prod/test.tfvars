# What a plan is made of where there is no installation. A real one writes terraform.tfvars alike.

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

archives = {
  admin       = { path = "dist/admin.zip", sha256 = "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0" }
  callback    = { path = "dist/callback.zip", sha256 = "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1" }
  cleanup     = { path = "dist/cleanup.zip", sha256 = "c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2" }
  marketplace = { path = "dist/marketplace.zip", sha256 = "d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3" }
  payments    = { path = "dist/payments.zip", sha256 = "e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4" }
  studio      = { path = "dist/studio.zip", sha256 = "f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5" }
  tasks       = { path = "dist/tasks.zip", sha256 = "a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6" }
}

watching = {
  email           = "watch@tarsify.example"
  billing_account = "000000-000000-000000"
}

extra_origins = {
  consumers  = ["https://market.tarsify.example"]
  developers = ["https://studio.tarsify.example"]
}
