variable "project_id" {
  description = "The project of the installation"
  type        = string
}

variable "accounts" {
  description = "What each account is for, by its id"
  type        = map(string)

  validation {
    condition     = alltrue([for id in keys(var.accounts) : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", id))])
    error_message = "An account's id has 6 to 30 small letters, digits and dashes."
  }
}
