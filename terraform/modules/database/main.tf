# PostgreSQL 16, as the tests run it. No address outside, no password: each function logs in as its
# own service account, and every way in is encrypted.

locals {
  # During a deploy two revisions of a function answer side by side, so its connections count twice.
  connections_needed = 2 * sum([for it in var.pools : it.max_instances * it.pool_size]) + var.head_room
  flags = {
    "cloudsql.iam_authentication" = "on"
    "cloudsql.enable_pgaudit"     = "on"
    "pgaudit.log"                 = "ddl,role" # who changed the schema or rights; never the data itself
    "max_connections"             = tostring(var.max_connections)
    "log_checkpoints"             = "on"
    "log_connections"             = "on"
    "log_disconnections"          = "on"
    "log_lock_waits"              = "on"
    "log_temp_files"              = "0"
    "log_min_messages"            = "error"
    "log_min_error_statement"     = "error"
    "log_min_duration_statement"  = "-1" # a statement's text can hold a customer's words
    "log_hostname"                = "off"
  }
}

resource "google_sql_database_instance" "this" {
  # checkov:skip=CKV_GCP_6:ssl_mode ENCRYPTED_ONLY is what replaced the require_ssl that the rule looks for
  # checkov:skip=CKV_GCP_79:16 is what every test runs on
  # checkov:skip=CKV_GCP_108:a host's name is looked up for each connection, and all are the functions' own
  # checkov:skip=CKV_GCP_111:statements hold what customers wrote; pgaudit records schema and rights
  # checkov:skip=CKV2_GCP_13:a line for each statement of each run; Query Insights has the durations
  project             = var.project_id
  name                = "tarsify"
  region              = var.region
  database_version    = "POSTGRES_16"
  deletion_protection = true

  settings {
    edition                     = "ENTERPRISE"
    tier                        = var.tier
    availability_type           = var.highly_available ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = var.disk_gb
    disk_autoresize             = true
    connector_enforcement       = "REQUIRED"
    deletion_protection_enabled = true
    retain_backups_on_delete    = true

    ip_configuration {
      ipv4_enabled                                  = false
      private_network                               = var.peered_network
      enable_private_path_for_google_cloud_services = false
      ssl_mode                                      = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "03:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = var.kept_backups
      }
    }

    maintenance_window {
      day          = 7
      hour         = 4
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled  = true
      query_string_length     = 1024
      query_plans_per_minute  = 5
      record_application_tags = true
      record_client_address   = false
    }

    dynamic "database_flags" {
      for_each = local.flags
      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  lifecycle {
    precondition {
      condition     = local.connections_needed <= var.max_connections
      error_message = "The functions may open ${local.connections_needed} connections; the database takes ${var.max_connections}."
    }
  }
}

resource "google_sql_database" "this" {
  project         = var.project_id
  instance        = google_sql_database_instance.this.name
  name            = "tarsify"
  deletion_policy = "ABANDON"
}

# A login for each function. What it may do follows from tarsify_app, which the migrations let it into.
resource "google_sql_user" "function" {
  for_each = var.logins

  project         = var.project_id
  instance        = google_sql_database_instance.this.name
  name            = each.value
  type            = "CLOUD_IAM_SERVICE_ACCOUNT"
  deletion_policy = "ABANDON"
}

# The migrations own the schema and make the application's role.
resource "google_sql_user" "owner" {
  project         = var.project_id
  instance        = google_sql_database_instance.this.name
  name            = var.owner_login
  type            = "CLOUD_IAM_SERVICE_ACCOUNT"
  database_roles  = ["cloudsqlsuperuser"]
  deletion_policy = "ABANDON"
}
