# What the releasing account may do. It changes everything of the installation, so its list is long;
# it is neither owner nor editor, and of the project's roles it can give away those that the
# installation gives and no others. Its own roles are therefore applied by a person. It keeps
# accounts and secrets, so it could give itself rights on a single one: that is seen in the audit
# log, and nothing that it runs does so.

locals {
  roles = toset([
    "roles/artifactregistry.admin",
    "roles/cloudbuild.builds.editor",
    "roles/cloudfunctions.admin",
    "roles/cloudscheduler.admin",
    "roles/cloudsql.admin",
    "roles/cloudtasks.admin",
    "roles/compute.loadBalancerAdmin",
    "roles/compute.networkAdmin",
    "roles/compute.securityAdmin",
    "roles/iam.roleViewer",
    "roles/iam.serviceAccountAdmin",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.editor",
    "roles/run.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/storage.admin",
  ])
  quoted = join(", ", [for role in var.grantable_roles : "'${role}'"])
}

resource "google_project_iam_member" "deployer" {
  # checkov:skip=CKV_GCP_42:Terraform changes whole services; what it could take for itself is in the condition below
  # checkov:skip=CKV_GCP_49:it makes accounts, and is given those named below to act as
  for_each = local.roles

  project = var.project_id
  role    = each.key
  member  = var.deployer
}

resource "google_project_iam_member" "gives_roles" {
  # checkov:skip=CKV_GCP_42:its condition holds it to the installation's own roles
  project = var.project_id
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = var.deployer

  condition {
    title       = "only-the-installations-roles"
    description = "May give and take the roles that Terraform gives, no others"
    expression  = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${local.quoted}])"
  }
}

# Places for secrets and who may read them. Google's own role for that reads the values too.
resource "google_project_iam_custom_role" "secret_keeper" {
  project     = var.project_id
  role_id     = "secretKeeper"
  title       = "Keeps secrets without reading them"
  description = "Everything of Terraform's about secrets"
  permissions = [
    "secretmanager.secrets.create",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.secrets.list",
    "secretmanager.secrets.setIamPolicy",
    "secretmanager.secrets.update",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
  ]
}

resource "google_project_iam_member" "keeps_secrets" {
  project = var.project_id
  role    = google_project_iam_custom_role.secret_keeper.id
  member  = var.deployer
}

resource "google_service_account_iam_member" "acts_as" {
  for_each = var.acts_as

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = var.deployer
}
