variable "place" {
  description = "Projects, region and host; without a domain (dev only) a name is made of the address"
  type = object({
    project_id         = string
    project_number     = string
    region             = string
    domain             = optional(string)
    users_project      = string
    developers_project = string
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
  description = "dist/archives.json, as infra/pack wrote it"
  type        = map(object({ path = string, sha256 = string }))
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
