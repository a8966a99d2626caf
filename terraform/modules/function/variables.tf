variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "region" {
  description = "Where the function runs"
  type        = string
}

variable "name" {
  description = "The function's folder below functions/"
  type        = string
}

variable "description" {
  description = "Who calls it and what for"
  type        = string
}

variable "public" {
  description = "Whether the front door leads to it"
  type        = bool
}

variable "invoker" {
  description = "The only one who may call a function that is not public, as an IAM member"
  type        = string
}

variable "service_account" {
  description = "Whom the function runs as"
  type        = string
}

variable "archive" {
  description = "The packed source: a file here, its digest, and the bucket that it goes to"
  type        = object({ path = string, sha256 = string, bucket = string })
}

variable "build" {
  description = "Whom Google builds as, and the repository that the image goes to"
  type        = object({ service_account = string, repository = string })
}

variable "network" {
  description = "How it joins the network"
  type        = object({ network = string, subnetwork = string, tags = list(string) })
}

variable "size" {
  description = "Memory, requests at once, instances, seconds and connections"
  type = object({
    memory          = string
    concurrency     = number
    min_instances   = number
    max_instances   = number
    timeout_seconds = number
    pool_size       = number
  })

  validation {
    condition     = var.size.min_instances <= var.size.max_instances
    error_message = "No more instances can be kept warm than there may be."
  }
}

variable "settings" {
  description = "Fields of common/settings.py by their variable's name"
  type        = map(string)
}

variable "secrets" {
  description = "Secrets by their variable's name, each with the version that is used"
  type        = map(object({ secret = string, version = string }))

  validation {
    condition     = alltrue([for it in var.secrets : can(regex("^[1-9][0-9]*$", it.version))])
    error_message = "A secret's version is a number: instances that read 'latest' may differ."
  }
}
