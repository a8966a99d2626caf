# The installation "staging". What is said of a place comes from terraform.tfvars beside this file.

provider "google" {
  project = var.place.project_id
  region  = var.place.region
  # Budgets and sign-in ask whose quota a person's own login may use.
  user_project_override = true
  billing_project       = var.place.project_id

  default_labels = {
    app         = "tarsify"
    environment = "staging"
    managed-by  = "terraform"
  }
}

module "installation" {
  source          = "../../modules/installation"
  environment     = "staging"
  place           = var.place
  delivery        = var.delivery
  archives        = var.archives
  secret_versions = var.secret_versions
  admin_uids      = var.admin_uids
  extra_origins   = var.extra_origins
  watching        = var.watching

  size = {
    most_instances   = 5
    keep_warm        = false
    database_tier    = "db-custom-2-7680"
    highly_available = false
    disk_gb          = 20
    kept_backups     = 7
    max_connections  = 250
    trace_share      = 1
  }
}

output "installation" {
  description = "Addresses and names, for people and for the monitoring"
  value       = module.installation
}
