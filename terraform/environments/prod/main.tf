# The installation "prod". What is said of a place comes from terraform.tfvars beside this file.

provider "google" {
  project = var.place.project_id
  region  = var.place.region
  # Budgets and sign-in ask whose quota a person's own login may use.
  user_project_override = true
  billing_project       = var.place.project_id

  default_labels = {
    app         = "tarsify"
    environment = "prod"
    managed-by  = "terraform"
  }
}

module "installation" {
  source          = "../../modules/installation"
  environment     = "prod"
  place           = var.place
  delivery        = var.delivery
  archives        = var.archives
  secret_versions = var.secret_versions
  admin_uids      = var.admin_uids
  extra_origins   = var.extra_origins
  watching        = var.watching

  size = {
    most_instances   = 100
    keep_warm        = true
    database_tier    = "db-custom-4-16384"
    highly_available = true
    disk_gb          = 100
    kept_backups     = 30
    max_connections  = 500
    trace_share      = 0.05
  }
}

output "installation" {
  description = "Addresses and names, for people and for the monitoring"
  value       = module.installation
}
