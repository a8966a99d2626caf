# One whole installation of Tarsify. The environments say how large it is and where.

locals {
  front_door = yamldecode(file("${path.module}/../../front_door.yaml"))
  origin     = "https://${module.front_door.host}"
  # Of each public function, where it answers; "/health" alone leads to no function's own.
  prefixes = { for name in toset(values(local.front_door.routes)) : name => [for prefix, it in local.front_door.routes : prefix if it == name && prefix != "/health"] }
  # A page of developers has no business with a consumer's account, nor the other way round.
  origins = {
    consumers  = concat([local.origin], var.extra_origins.consumers)
    developers = concat([local.origin], var.extra_origins.developers)
  }
  all_origins = distinct(concat(local.origins.consumers, local.origins.developers))

  # The accounts of functions are named after them; six letters is the least that Google takes.
  function_accounts = { for name in keys(local.functions) : name => "fn-${name}" }
  members           = { for name, id in local.function_accounts : name => module.service_accounts.members[id] }
  logins            = { for name, id in local.function_accounts : name => trimsuffix(module.service_accounts.emails[id], ".gserviceaccount.com") }
  owner_login       = trimsuffix(module.service_accounts.emails.db-migrate, ".gserviceaccount.com")

  secrets     = toset(flatten([for it in local.functions : it.secrets]))
  alarm_clock = { for name, it in local.functions : name => local.members[name] if contains(it.roles, "sets_alarms") }
  tracers     = { for name, it in local.functions : name => local.members[name] if contains(it.settings, "runs") }
  keepers     = { for name, it in local.functions : name => local.members[name] if contains(it.roles, "keeps_results") }
}

module "project" {
  source     = "../project"
  project_id = var.place.project_id
}

module "network" {
  source     = "../network"
  project_id = var.place.project_id
  region     = var.place.region
  depends_on = [module.project]
}

module "service_accounts" {
  source     = "../service-accounts"
  project_id = var.place.project_id
  depends_on = [module.project]

  accounts = merge(
    { for name, id in local.function_accounts : id => "Runs the function ${name}" },
    {
      task-invoker     = "Calls tasks and cleanup, on behalf of Cloud Tasks and Cloud Scheduler"
      function-builder = "Builds the functions"
      db-migrate       = "Runs the migrations and owns the schema"
      worker-uploads   = "GPU workers hand results in as this account, over S3"
      ci-deployer      = "Releases"
      ci-checks        = "Tests pull requests"
    },
  )
}

module "database" {
  source           = "../database"
  project_id       = var.place.project_id
  region           = var.place.region
  peered_network   = module.network.peered_network
  tier             = var.size.database_tier
  highly_available = var.size.highly_available
  disk_gb          = var.size.disk_gb
  kept_backups     = var.size.kept_backups
  max_connections  = var.size.max_connections
  pools            = { for name, it in local.sizes : name => { max_instances = it.max_instances, pool_size = it.pool_size } }
  logins           = local.logins
  owner_login      = local.owner_login
}

module "secrets" {
  source     = "../secrets"
  project_id = var.place.project_id
  readers    = { for secret in local.secrets : secret => { for name, it in local.functions : name => local.members[name] if contains(it.secrets, secret) } }
  depends_on = [module.project]
}

module "queues" {
  source       = "../queues"
  project_id   = var.place.project_id
  region       = var.place.region
  prefix       = local.queue_prefix
  kinds        = local.queues
  capacity     = local.sizes.tasks.max_instances * local.sizes.tasks.concurrency
  enqueuers    = local.alarm_clock
  invoker_name = module.service_accounts.names.task-invoker
  depends_on   = [module.project]
}

module "function" {
  source   = "../function"
  for_each = local.functions

  project_id      = var.place.project_id
  region          = var.place.region
  name            = each.key
  description     = each.value.description
  public          = each.value.public
  invoker         = module.service_accounts.members.task-invoker
  service_account = module.service_accounts.emails[local.function_accounts[each.key]]
  size            = local.sizes[each.key]
  network         = module.network.attachment
  secrets         = { for secret in each.value.secrets : upper(replace(secret, "-", "_")) => { secret = module.secrets.readable[secret], version = var.secret_versions[secret] } }

  settings = merge(concat(
    [local.everybodys_settings, { DB_USER = module.database.logins[each.key] }],
    [for group in each.value.settings : local.settings[group]],
  )...)

  archive = {
    path   = startswith(var.archives[each.key].path, "/") ? var.archives[each.key].path : "${path.root}/../../../${var.archives[each.key].path}"
    sha256 = var.archives[each.key].sha256
    bucket = module.sources.name
  }

  build = {
    service_account = module.service_accounts.names.function-builder
    repository      = module.registry.ids.functions
  }

  depends_on = [google_project_iam_member.builder, google_project_iam_member.database_login, google_project_iam_member.database_client]
}

module "schedule" {
  source           = "../schedule"
  project_id       = var.place.project_id
  region           = var.place.region
  jobs             = local.jobs
  target_url       = local.internal_urls.cleanup
  invoker_email    = module.service_accounts.emails.task-invoker
  deadline_seconds = local.sizes.cleanup.timeout_seconds
  depends_on       = [module.function]
}

module "front_door" {
  source     = "../front-door"
  project_id = var.place.project_id
  region     = var.place.region
  domain     = var.place.domain
  routes     = local.front_door.routes
  services   = { for name in toset(values(local.front_door.routes)) : name => module.function[name].service }
  web_bucket = module.web.name
  depends_on = [module.project]
}

module "sign_in" {
  source   = "../sign-in"
  for_each = { users = var.place.users_project, developers = var.place.developers_project }

  project_id = each.value
  domains    = distinct([for it in local.all_origins : regex("^https?://([^:/]+)", it)[0]])
}

module "registry" {
  source     = "../registry"
  project_id = var.place.project_id
  region     = var.place.region
  writers    = { functions = module.service_accounts.members.function-builder, migrations = module.service_accounts.members.ci-deployer }
  depends_on = [module.project]
}

module "migrations" {
  source          = "../migrations"
  project_id      = var.place.project_id
  region          = var.place.region
  service_account = module.service_accounts.emails.db-migrate
  first_image     = var.delivery.first_migrations_image
  network         = module.network.attachment

  settings = {
    CLOUD_SQL_INSTANCE = module.database.connection_name
    DB_NAME            = module.database.database_name
    DB_USER            = module.database.owner_login
    MEMBERS            = join(",", values(module.database.logins))
  }
}

module "monitoring" {
  source            = "../monitoring"
  project_id        = var.place.project_id
  project_number    = var.place.project_number
  email             = var.watching.email
  runbooks          = var.watching.runbooks
  billing_account   = var.watching.billing_account
  monthly_usd       = var.watching.monthly_usd
  deployer          = module.service_accounts.members.ci-deployer
  host              = module.front_door.host
  health_paths      = { for name, prefixes in local.prefixes : name => "${prefixes[0]}/health/ready" }
  public_services   = [for name in keys(local.prefixes) : "tarsify-${name}"]
  queues            = values(module.queues.names)
  database_instance = module.database.instance_name
  most_connections  = var.size.max_connections
  depends_on        = [module.project]
}
