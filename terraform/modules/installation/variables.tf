variable "environment" {
  description = "Which installation this is"
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "An installation is dev, staging or prod."
  }
}

variable "place" {
  description = "Projects, region and host"
  type = object({
    project_id         = string
    project_number     = string
    region             = string
    domain             = optional(string)
    users_project      = string
    developers_project = string
  })

  validation {
    condition     = can(regex("^[0-9]+$", var.place.project_number))
    error_message = "A project's number has digits only."
  }

  validation {
    condition     = var.environment == "dev" || var.place.domain != null
    error_message = "Anything but dev needs a domain of its own."
  }

  validation {
    condition     = var.place.users_project != var.place.developers_project
    error_message = "Consumers and developers sign in to different Firebase projects."
  }
}

variable "size" {
  description = "How much the installation may take"
  type = object({
    most_instances   = number
    keep_warm        = bool
    database_tier    = string
    highly_available = bool
    disk_gb          = number
    kept_backups     = number
    max_connections  = number
    trace_share      = number
  })
}

variable "delivery" {
  description = "Where releases come from, and where Terraform's state is"
  type = object({
    repository             = string
    state_bucket           = string
    first_migrations_image = string
  })
}

variable "archives" {
  description = "dist/archives.json: each function's packed source, by a path from the repository's root"
  type        = map(object({ path = string, sha256 = string }))

  validation {
    condition     = alltrue([for it in var.archives : can(regex("^[0-9a-f]{64}$", it.sha256))])
    error_message = "An archive's sha256 has 64 hexadecimal digits."
  }
}

variable "secret_versions" {
  description = "Which version of each secret the functions read"
  type        = map(string)
}

variable "admin_uids" {
  description = "Developers who are staff, beside those whose token says so"
  type        = list(string)
  default     = []
}

variable "extra_origins" {
  description = "Browser origins of frontends that are served elsewhere, by whose pages they are"
  type = object({
    consumers  = optional(list(string), [])
    developers = optional(list(string), [])
  })
  default = {}
}

variable "watching" {
  description = "Who is told when something is wrong, and what a month may cost"
  type = object({
    email           = string
    runbooks        = optional(string, "infra/runbook")
    billing_account = optional(string)
    monthly_usd     = optional(number, 1000)
  })
}
