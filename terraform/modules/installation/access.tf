# Rights that are the project's. Rights on one secret, queue or bucket stand beside that thing.

locals {
  database_users = merge(local.members, { db-migrate = module.service_accounts.members.db-migrate })
}

resource "google_project_iam_member" "database_client" {
  for_each = local.database_users

  project = var.place.project_id
  role    = "roles/cloudsql.client"
  member  = each.value
}

resource "google_project_iam_member" "database_login" {
  for_each = local.database_users

  project = var.place.project_id
  role    = "roles/cloudsql.instanceUser"
  member  = each.value
}

# Whoever takes part in a run says so to Cloud Trace.
resource "google_project_iam_member" "tracer" {
  for_each = local.tracers

  project = var.place.project_id
  role    = "roles/telemetry.tracesWriter"
  member  = each.value
}

resource "google_project_iam_member" "builder" {
  project = var.place.project_id
  role    = "roles/logging.logWriter"
  member  = module.service_accounts.members.function-builder
}

# URLs are signed through IAM: a function has no key, so it must be allowed to sign as itself.
resource "google_service_account_iam_member" "signs_as_itself" {
  for_each = local.keepers

  service_account_id = module.service_accounts.names[local.function_accounts[each.key]]
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}

module "delivery" {
  source        = "../delivery"
  project_id    = var.place.project_id
  region        = var.place.region
  environment   = var.environment
  repository    = var.delivery.repository
  approved      = var.environment == "prod"
  checks        = var.environment == "dev"
  deployer      = module.service_accounts.members.ci-deployer
  deployer_name = module.service_accounts.names.ci-deployer
  checker       = module.service_accounts.members.ci-checks
  checker_name  = module.service_accounts.names.ci-checks

  acts_as = {
    for id, name in module.service_accounts.names : id => name
    if contains(values(local.function_accounts), id) || contains(["task-invoker", "function-builder", "db-migrate"], id)
  }
  grantable_roles = ["roles/cloudsql.client", "roles/cloudsql.instanceUser", "roles/logging.logWriter", "roles/telemetry.tracesWriter"]

  substitutions = {
    _ENVIRONMENT      = var.environment
    _REGION           = var.place.region
    _STATE_BUCKET     = var.delivery.state_bucket
    _PUBLIC_URL       = local.origin
    _SERVICE_PREFIX   = "tarsify-"
    _MIGRATIONS_IMAGE = "${module.registry.hosts.migrations}/migrations"
    _MIGRATIONS_JOB   = module.migrations.name
    _INTERNAL_JOB     = module.schedule.names.audit
    _DEPLOYER         = "ci-deployer"
    _RECORDS_BUCKET   = module.records.name
  }
}

# Releases configure sign-in too, and the Firebase projects are others than theirs. It stands here
# and not in that module: checkov finds no reason in a module that is there twice.
resource "google_project_iam_member" "configures_sign_in" {
  # checkov:skip=CKV_GCP_42:the service takes its own administrator for that
  for_each = {
    for pair in setproduct(
      [var.place.users_project, var.place.developers_project],
      ["roles/identityplatform.admin", "roles/serviceusage.serviceUsageAdmin"],
    ) : join(" ", pair) => { project = pair[0], role = pair[1] }
  }

  project = each.value.project
  role    = each.value.role
  member  = module.service_accounts.members.ci-deployer
}
