# The buckets. Their names are unique in the world by beginning with the project's.

module "sources" {
  source     = "../bucket"
  project_id = var.place.project_id
  name       = "${var.place.project_id}-sources"
  location   = var.place.region
  grants     = { "roles/storage.objectViewer" = { builder = module.service_accounts.members.function-builder } }
  depends_on = [module.project]
}

# Results. Customers' runs name them, so none is deleted by age; most are read in their first days.
module "outputs" {
  source              = "../bucket"
  project_id          = var.place.project_id
  name                = "${var.place.project_id}-outputs"
  location            = var.place.region
  nearline_after_days = 30
  origins             = local.all_origins
  depends_on          = [module.project]

  # Nobody may overwrite: a result's name follows from its contents.
  grants = {
    "roles/storage.objectCreator" = local.keepers
    "roles/storage.objectViewer"  = local.keepers
  }
}

locals {
  uploaders = {
    workers     = module.service_accounts.members.worker-uploads
    marketplace = local.members.marketplace
  }
}

# What GPU workers hand in over the S3 interface, which is copied to the results at once, and what
# consumers upload to be inputs. The workers' key is made by hand (infra/runbook/bootstrap.md): here
# it would lie in the state.
module "uploads" {
  source            = "../bucket"
  project_id        = var.place.project_id
  name              = "${var.place.project_id}-uploads"
  location          = var.place.region
  delete_after_days = 2
  soft_delete_days  = 0
  origins           = local.all_origins
  methods           = ["PUT"]
  depends_on        = [module.project]

  # The viewer's part is for the signed URLs by which we and the workers fetch it.
  grants = {
    "roles/storage.objectCreator" = local.uploaders
    "roles/storage.objectViewer"  = local.uploaders
  }
}

module "web" {
  source     = "../bucket"
  project_id = var.place.project_id
  name       = "${var.place.project_id}-web"
  location   = var.place.region
  public     = true
  versioned  = true
  depends_on = [module.project]
}

# What each release was made of.
module "records" {
  source           = "../bucket"
  project_id       = var.place.project_id
  name             = "${var.place.project_id}-releases"
  location         = var.place.region
  versioned        = true
  soft_delete_days = 30
  grants           = { "roles/storage.objectCreator" = { deployer = module.service_accounts.members.ci-deployer } }
  depends_on       = [module.project]
}
