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

# Whoever takes part in a run says so to Cloud Trace, at the cost of this project's quota.
resource "google_project_iam_member" "tracer" {
  for_each = local.tracers

  project = var.place.project_id
  role    = "roles/telemetry.tracesWriter"
  member  = each.value
}

resource "google_project_iam_member" "traces_quota" {
  for_each = local.tracers

  project = var.place.project_id
  role    = "roles/serviceusage.serviceUsageConsumer"
  member  = each.value
}

resource "google_project_iam_member" "builder" {
  project = var.place.project_id
  role    = "roles/logging.logWriter"
  member  = module.service_accounts.members.function-builder
}

# Cloud Functions copies each archive into a bucket of its own, made at the first build, and builds
# from there.
resource "google_project_iam_member" "builder_reads_copies" {
  project = var.place.project_id
  role    = "roles/storage.objectViewer"
  member  = module.service_accounts.members.function-builder

  condition {
    title       = "copies-of-sources"
    description = "Reads only what Cloud Functions copied to be built"
    expression  = "resource.name.startsWith('projects/_/buckets/gcf-v2-sources-${var.place.project_number}-')"
  }
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
  grantable_roles = [
    "roles/cloudsql.client", "roles/cloudsql.instanceUser", "roles/logging.logWriter",
    "roles/serviceusage.serviceUsageConsumer", "roles/storage.objectViewer", "roles/telemetry.tracesWriter",
  ]

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

# Releases configure sign-in too, and the Firebase projects are others than theirs; each plan reads
# who may do what there, these grants among it. It stands here and not in that module: checkov finds
# no reason in a module that is there twice.
resource "google_project_iam_member" "configures_sign_in" {
  # checkov:skip=CKV_GCP_42:the service takes its own administrator for that
  for_each = {
    for pair in setproduct(
      [var.place.users_project, var.place.developers_project],
      ["roles/iam.securityReviewer", "roles/identityplatform.admin", "roles/serviceusage.serviceUsageAdmin"],
    ) : join(" ", pair) => { project = pair[0], role = pair[1] }
  }

  project = each.value.project
  role    = each.value.role
  member  = module.service_accounts.members.ci-deployer
}
