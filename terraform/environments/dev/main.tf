# The installation "dev". What is said of a place comes from terraform.tfvars beside this file.

provider "google" {
  project = var.place.project_id
  region  = var.place.region
  # Budgets and sign-in ask whose quota a person's own login may use.
  user_project_override = true
  billing_project       = var.place.project_id

  default_labels = {
    app         = "tarsify"
    environment = "dev"
    managed-by  = "terraform"
  }
}

module "installation" {
  source          = "../../modules/installation"
  environment     = "dev"
  place           = var.place
  delivery        = var.delivery
  archives        = var.archives
  secret_versions = var.secret_versions
  admin_uids      = var.admin_uids
  extra_origins   = var.extra_origins
  watching        = var.watching

  size = {
    most_instances   = 2
    keep_warm        = false
    database_tier    = "db-custom-1-3840"
    highly_available = false
    disk_gb          = 10
    kept_backups     = 7
    max_connections  = 150
    trace_share      = 1
  }
}

output "installation" {
  description = "Addresses and names, for people and for the monitoring"
  value       = module.installation
}
